package egress

import (
	"context"
	"sync"
)

// laneWidth is how many requests go to one origin at once.
const laneWidth = 4

// lanes bounds what an origin has to bear. A lane exists while somebody is in
// it or waits.
type lanes struct {
	mu sync.Mutex
	of map[string]*lane
}

type lane struct {
	places chan struct{}
	users  int
}

// enter waits for a place at origin until ctx ends.
func (l *lanes) enter(ctx context.Context, origin string) (leave func(), err error) {
	here := l.join(origin)
	select {
	case here.places <- struct{}{}:
		return func() { <-here.places; l.part(origin, here) }, nil
	case <-ctx.Done():
		l.part(origin, here)
		return nil, ctx.Err()
	}
}

func (l *lanes) join(origin string) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil {
		l.of = map[string]*lane{}
	}
	here := l.of[origin]
	if here == nil {
		here = &lane{places: make(chan struct{}, laneWidth)}
		l.of[origin] = here
	}
	here.users++
	return here
}

func (l *lanes) part(origin string, here *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if here.users--; here.users == 0 {
		delete(l.of, origin)
	}
}
