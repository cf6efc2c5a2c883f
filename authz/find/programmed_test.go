package find

import "testing"

func TestALookupEndsAfterSoManyCandidates(t *testing.T) {
	m := meter{t.Context(), 3}
	for i := range 5 {
		if err := m.Err(); (err != nil) != (i >= 3) {
			t.Errorf("%d: got %v", i, err)
		}
	}
}
