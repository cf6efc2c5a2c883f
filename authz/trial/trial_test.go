package trial

import (
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz/password"
	"github.com/agentauth-dev/agentauth/authz/store"
	"github.com/agentauth-dev/agentauth/authz/work"
)

func TestATrialWorksWithWhatIsItsOwnAndHasNothingThatOthersHaveNot(t *testing.T) {
	scheduler, replay := work.New(work.Options{}), store.NewMemory(1<<20, nil)
	passwords := password.New(scheduler, password.Options{})
	own, verifier, forgetful := Apart(scheduler, passwords, replay)
	if own == nil || own == scheduler || verifier == nil || verifier == passwords || forgetful == nil {
		t.Errorf("got %v %v %v", own, verifier, forgetful)
	}
	for range 2 {
		if seen, err := forgetful.Seen(t.Context(), "shop", [32]byte{1}, time.Minute); seen || err != nil {
			t.Errorf("got %v %v", seen, err)
		}
	}
	if seen, err := replay.Seen(t.Context(), "shop", [32]byte{1}, time.Minute); seen || err != nil {
		t.Errorf("a trial recorded a proof: %v %v", seen, err)
	}
	if own, verifier, forgetful := Apart(nil, nil, nil); own != nil || verifier != nil || forgetful != nil {
		t.Errorf("got %v %v %v", own, verifier, forgetful)
	}
}
