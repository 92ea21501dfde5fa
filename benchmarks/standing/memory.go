package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/shmkit/shmkit/topic"
)

// footprints shows how much memory topics have, beside what their settings say: so many messages of so many bytes for each
// publisher. What else there is, is for who takes part.
func footprints(dir string) error {
	fmt.Println("memory of a topic, all of it there from the beginning:")
	fmt.Printf("  %-52s %12s %12s %12s %8s\n", "settings", "messages", "as told", "on the disk", "beside")
	for _, o := range []topic.Options{
		{MaxMessage: 64}, {MaxMessage: 4096}, {MaxMessage: 1 << 20}, {MaxMessage: 4 << 20, Publishers: 1, Subscribers: 2}, {MaxMessage: 48, Subscribers: 1000, Publishers: 1},
	} {
		o.Dir = dir
		t, err := topic.CreateBytes("memory", &o)
		if err != nil {
			return err
		}
		st, err := t.Stat()
		if err != nil {
			return err
		}
		messages := int64(st.MaxPublishers) * int64(st.Chunks) * int64(st.ChunkSize)
		if st.InSlots {
			messages = int64(st.MaxPublishers) * int64(st.Ring) * int64(st.SlotSize)
		}
		told := st.Size + st.MessagesSize
		there, err := blocks(dir)
		if err != nil {
			return err
		}
		fmt.Printf("  %-52s %12d %12d %12d %7.2f%%\n", fmt.Sprintf("%d bytes, %d publishers, %d subscribers", st.MaxMessage, st.MaxPublishers, st.MaxSubscribers),
			messages, told, there, 100*float64(there-told)/float64(told))
		if err := t.Close(); err != nil {
			return err
		}
	}
	fmt.Println()
	return nil
}

// blocks is how much memory the files of a folder have.
func blocks(dir string) (n int64, err error) {
	err = filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			n += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return err
	})
	return n, err
}
