//go:build e2e && !quick

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// soakCaller sends one kind of request. Its wanted answer is known at each moment: one status, or, around a change, that
// before and that after.
type soakCaller struct {
	name, path, header, value string
	want                      history[int]
}

func newCaller(name, path, header, value string, want int) *soakCaller {
	return &soakCaller{name: name, path: path, header: header, value: credential(value), want: history[int]{states: []int{want}}}
}

// comes says that the caller's credential is about to be made valid.
func (c *soakCaller) comes() *soakCaller { c.want.writes(http.StatusOK); return c }

// soakLoad is a hundred requests a second, whatever the answers take, of one caller after the other.
type soakLoad struct {
	mu      sync.Mutex
	callers map[string]*soakCaller // by place; a caller takes another's place
	places  []string
	got     []int16 // the status of each request by its number; 0 is no answer
	wrong   int
	dropped int // no answer, or none that decides
	slow    int // answers after a second
	slowest time.Duration
	first   []string // of what was wrong

	stop  chan struct{}
	ended sync.Once
	done  sync.WaitGroup
}

const soakRate = 100 // requests a second

func newSoakLoad() *soakLoad {
	return &soakLoad{callers: map[string]*soakCaller{}, stop: make(chan struct{})}
}

// put lets a caller take a place, and returns who had it.
func (l *soakLoad) put(place string, c *soakCaller) (before *soakCaller) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before = l.callers[place]
	if l.callers[place] = c; c == nil {
		delete(l.callers, place)
	}
	l.places = l.places[:0]
	for p := range l.callers {
		l.places = append(l.places, p)
	}
	slices.Sort(l.places)
	return before
}

func (l *soakLoad) at(place string) *soakCaller {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.callers[place]
}

// run sends until end.
func (l *soakLoad) run(base string) {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	l.done.Go(func() {
		tick := time.NewTicker(time.Second / soakRate)
		defer tick.Stop()
		for {
			select {
			case <-l.stop:
				return
			case <-tick.C:
				l.mu.Lock()
				n := len(l.got)
				l.got = append(l.got, 0)
				c := l.callers[l.places[n%len(l.places)]]
				l.mu.Unlock()
				from := c.want.oldest()
				l.done.Go(func() { l.send(client, base, n, c, from) })
			}
		}
	})
}

func (l *soakLoad) send(client *http.Client, base string, n int, c *soakCaller, from int) {
	began := time.Now()
	status, err := c.send(client, fmt.Sprintf("%s%s/%d", base, c.path, n))
	took, right := time.Since(began), c.want.since(from)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got[n] = int16(status) // #nosec G115 -- three digits
	l.slowest = max(l.slowest, took)
	if took > time.Second {
		l.slow++
	}
	switch {
	case err == nil && slices.Contains(right, status):
		return
	case err != nil || status >= http.StatusInternalServerError:
		l.dropped++
	default:
		l.wrong++
	}
	if len(l.first) < 20 {
		l.first = append(l.first, fmt.Sprintf("%s: request %d, %s: expected one of %v, got %d after %s, %v",
			began.Format("15:04:05.000"), n, c.name, right, status, took.Round(time.Millisecond), err))
	}
}

func (c *soakCaller) send(client *http.Client, url string) (int, error) {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	request.Host = soakHost
	if c.header != "" {
		request.Header.Set(c.header, c.value)
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// sent is how many requests were sent so far.
func (l *soakLoad) sent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.got)
}

// end waits for the answers that are due.
func (l *soakLoad) end() {
	l.ended.Do(func() { close(l.stop) })
	l.done.Wait()
}

func (l *soakLoad) String() string {
	return fmt.Sprintf("%d requests: %d wrong, %d dropped, %d answered after more than a second (the slowest after %s)\n%s",
		len(l.got), l.wrong, l.dropped, l.slow, l.slowest.Round(time.Millisecond), strings.Join(l.first, "\n"))
}
