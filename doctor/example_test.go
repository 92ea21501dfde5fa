package doctor_test

import (
	"context"
	"fmt"

	"github.com/shmkit/shmkit/doctor"
)

// What nobody uses any more is removed; the rest is told of.
func Example() {
	ctx := context.Background()
	findings, err := doctor.Examine(ctx, &doctor.Options{Areas: doctor.Limits | doctor.Shared})
	if err != nil {
		fmt.Println("not all could be looked at:", err)
	}
	for _, f := range findings {
		if !f.Fixable {
			fmt.Printf("%v: %s: %s; %s\n", f.Severity, f.Object, f.Summary, f.Command)
			continue
		}
		if err := doctor.Fix(ctx, f); err != nil {
			fmt.Println(err)
		}
	}
}
