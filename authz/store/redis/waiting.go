package redis

import "sync"

// maxWaiting is how many checks wait for the store at one time.
const maxWaiting = 192

// waiting counts checks that wait. A tenant may have half as many as may still come,
// so that the flood of one leaves room for others.
type waiting struct {
	mu  sync.Mutex
	all int
	by  map[string]int
}

func (w *waiting) enter(tenant string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if 2*w.by[tenant] >= maxWaiting-w.all {
		return false
	}
	if w.by == nil {
		w.by = map[string]int{}
	}
	w.by[tenant]++
	w.all++
	return true
}

func (w *waiting) leave(tenant string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all--
	if w.by[tenant]--; w.by[tenant] == 0 {
		delete(w.by, tenant)
	}
}
