package explain

import (
	"encoding/json"
	"testing"
)

func TestEveryExperimentAgrees(t *testing.T) {
	for _, e := range Experiments() {
		t.Run(e.Name, func(t *testing.T) {
			r, err := Run(t.Context(), e, nil)
			if err != nil {
				t.Error(err)
			}
			if !r.Agree {
				t.Errorf("%s", describe(r))
			}
			if testing.Verbose() {
				t.Logf("%s", describe(r))
			}
		})
	}
}

func describe(r *Report) []byte {
	b, _ := jsonOf(r)
	return b
}

func jsonOf(r *Report) ([]byte, error) { return json.MarshalIndent(r, "", " ") }
