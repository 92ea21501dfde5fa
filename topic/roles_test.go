package topic_test

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

var (
	_ = addRoles(rolesOf[sheet, *sheet]("slots"))
	_ = addRoles(rolesOf[frame, *frame]("chunks"))
)

// rolesOf are the roles with messages of one form.
func rolesOf[T any, M message[T]](form string) map[string]shmtest.Role {
	return map[string]shmtest.Role{
		"publisher " + form: inTopic(publishRole[T, M]), "subscriber " + form: inTopic(subscribeRole[T, M]),
		"idler " + form: inTopic(idle[T, M]), "dier " + form: inTopic(die[T, M]), "reclaimer " + form: inTopic(reclaim[T, M]),
		"founder of " + form: foundOnce[T, M],
	}
}

// inTopic is a role that opens the topic "news" in the directory that its first argument names.
func inTopic[T any](f func(t *topic.Topic[T], args []string) error) shmtest.Role {
	return func(args []string) error {
		t, err := topic.Open[T]("news", &topic.Options{Dir: args[0]})
		if err != nil {
			return err
		}
		if err := f(t, args[1:]); err != nil {
			return err
		}
		return t.Close()
	}
}

func numbers(args []string) (n [3]int64) {
	for i := range min(len(args), 3) {
		n[i], _ = strconv.ParseInt(args[i], 10, 64)
	}
	return n
}

// publishRole publishes messages of a rank, and says of each that it has.
func publishRole[T any, M message[T]](t *topic.Topic[T], args []string) error {
	p, err := t.Publisher()
	if err != nil {
		return err
	}
	n := numbers(args)
	if err := shmtest.Say("ready"); err != nil {
		return err
	}
	err = publish[T, M](p, n[0], n[1], func(last int64) error { return shmtest.Say("%d", last) })
	return errors.Join(err, p.Close())
}

// subscribeRole subscribes, and receives so many messages: reliably or not, at once or when told to.
func subscribeRole[T any, M message[T]](t *topic.Topic[T], args []string) error {
	reliable := args[0] == "reliable"
	s, err := t.Subscriber(&topic.SubscriberOptions{BestEffort: !reliable})
	if err != nil {
		return err
	}
	if err := shmtest.Say("ready"); err != nil {
		return err
	}
	if args[1] == "told" {
		if _, err := shmtest.Hear(); err != nil {
			return err
		}
	}
	n, _ := strconv.Atoi(args[2])
	err = follow[T, M](s, &course{}, reliable, n)
	return errors.Join(err, s.Close())
}

// idle subscribes, holds so many views, and never goes on.
func idle[T any, M message[T]](t *topic.Topic[T], args []string) error {
	s, err := t.Subscriber(nil)
	if err != nil {
		return err
	}
	for range numbers(args)[0] {
		if _, err := s.TryReceive(); err != nil {
			return err
		}
	}
	if err := shmtest.Say("ready"); err != nil {
		return err
	}
	<-shmtest.Dismissed()
	return errors.New("left")
}

// die publishes until it comes to a point for the n-th time.
func die[T any, M message[T]](t *topic.Topic[T], args []string) error {
	left := numbers(args[1:])[0]
	topic.SetPoint(func(name string) {
		if name != args[0] {
			return
		}
		if left--; left == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	p, err := t.Publisher()
	if err != nil {
		return err
	}
	return errors.Join(publish[T, M](p, 1, 100, nil), fmt.Errorf("never came to %s", args[0]))
}

// reclaim publishes so few messages that nobody is waited for; when it reclaims for the first time a
// subscriber joins in the middle of that.
func reclaim[T any, M message[T]](t *topic.Topic[T], args []string) error {
	var s *topic.Subscriber[T]
	var failed error
	joins := true
	topic.SetPoint(func(name string) {
		shmtest.Point(name)
		if name == "reclaim:said" && joins {
			joins = false
			s, failed = t.Subscriber(nil)
		}
	})
	p, err := t.Publisher()
	if err != nil {
		return err
	}
	n := numbers(args)
	if err := errors.Join(publish[T, M](p, n[0], n[1], nil), failed); err != nil {
		return err
	}
	if s == nil {
		return errors.New("nothing was reclaimed")
	}
	return errors.Join(s.Close(), p.Close())
}

// foundOnce makes the topic, publishes and receives, and is the last to have it.
func foundOnce[T any, M message[T]](args []string) error {
	t, err := topic.Create[T]("news", &topic.Options{Dir: args[0], Depth: 4, Publishers: 2})
	if err != nil {
		return err
	}
	s, err := t.Subscriber(nil)
	if err != nil {
		return err
	}
	p, err := t.Publisher()
	if err != nil {
		return err
	}
	if err := publish[T, M](p, 1, 3, nil); err != nil {
		return err
	}
	if err := follow[T, M](s, &course{}, true, 3); err != nil {
		return err
	}
	return errors.Join(p.Close(), s.Close(), t.Close())
}
