package audit

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// maxWaiting and maxWaitingBytes bound what waits for a sink.
	maxWaiting      = 65_536
	maxWaitingBytes = 16 << 20
)

// item is an encoded record that waits, and who is told whether it was written; nil: nobody.
type item struct {
	record  []byte
	written chan<- bool
}

// queue writes records to one sink, one after the other.
type queue struct {
	sink  Sink
	chain chain // of the goroutine that writes
	most  int
	now   func() time.Time
	wake  chan struct{}
	done  chan struct{}

	mu      sync.Mutex
	waiting []item
	// held and bytes are of the records that wait, and of those that are being written.
	held, bytes int
	closed      bool
	missing uint64 // dropped since the last line
	counts  Stats
}

func newQueue(sink Sink, c chain, most int, now func() time.Time) *queue {
	q := &queue{sink: sink, chain: c, most: most, now: now, wake: make(chan struct{}, 1), done: make(chan struct{})}
	q.counts = Stats{Sink: sink.Name, Seq: c.seq, Hash: c.prev}
	go q.run()
	return q
}

// put hands a record over. Where too many wait it is dropped, and counted.
func (q *queue) put(record []byte, written chan<- bool) {
	q.mu.Lock()
	full := q.closed || q.held >= q.most || q.bytes+len(record) > maxWaitingBytes
	if full {
		q.lost(1)
	} else {
		q.waiting = append(q.waiting, item{record, written})
		q.held++
		q.bytes += len(record)
	}
	q.mu.Unlock()
	if full {
		if written != nil {
			written <- false
		}
		return
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// drop counts a record that was not handed over.
func (q *queue) drop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lost(1)
}

// lost counts records; mu is held.
func (q *queue) lost(n uint64) {
	q.missing += n
	q.counts.Dropped += n
}

func (q *queue) stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.counts
}

func (q *queue) run() {
	defer close(q.done)
	for {
		list, missing, closed := q.take()
		if missing > 0 && len(list) > 0 {
			q.tell(missing)
		}
		for i, one := range list {
			err := q.write(one.record)
			if one.written != nil {
				one.written <- err == nil
			}
			list[i] = item{} // nothing holds it any more
			q.release(len(one.record))
		}
		if closed && len(list) == 0 {
			return
		}
		if len(list) == 0 {
			<-q.wake
		}
	}
}

// take is all that waits, and how many records are missing before it.
func (q *queue) take() (list []item, missing uint64, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	list, q.waiting = q.waiting, nil
	missing, closed = q.missing, q.closed
	return list, missing, closed
}

// release makes room for what was written, or could not be.
func (q *queue) release(size int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held--
	q.bytes -= size
}

// tell says in the stream that records are missing.
func (q *queue) tell(missing uint64) {
	r := newRecord(ActionDropped, q.now())
	r.Agentauth.Missing = missing
	line, err := encode(r)
	if err != nil || q.write(line) != nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.missing -= missing
}

// write writes a record in its place. What could not be written is counted, and has no
// place.
func (q *queue) write(record []byte) error {
	line, err := q.chain.line(record)
	if err == nil {
		_, err = q.sink.Line.Write(line)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil {
		q.lost(1)
		q.counts.Error = err.Error()
		return err
	}
	q.chain.wrote(line[:len(line)-1])
	q.counts.Written++
	q.counts.Seq, q.counts.Hash, q.counts.Error = q.chain.seq, q.chain.prev, ""
	return nil
}

// close writes what waits, at most until ctx ends.
func (q *queue) close(ctx context.Context) error {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
	select {
	case <-q.done:
	case <-ctx.Done():
		if left := q.left(); left > 0 { // another sink may have taken all of the time
			return fmt.Errorf("audit sink %s: %d records were not written in time", q.sink.Name, left)
		}
	}
	if q.sink.Close == nil {
		return nil
	}
	return q.sink.Close()
}

// left is how many records are not written yet.
func (q *queue) left() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.held
}
