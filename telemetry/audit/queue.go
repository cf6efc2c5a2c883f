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
// missing is how many records were dropped between it and the one before.
type item struct {
	record  []byte
	written chan<- bool
	missing uint64
}

// queue writes records to one sink, one after the other.
type queue struct {
	sink  Sink
	chain chain // of the goroutine that writes, as is untold
	// untold is how many records are missing before the next line.
	untold uint64
	most   int
	now    func() time.Time
	wake   chan struct{}
	done   chan struct{}
	ctx    context.Context // of batches; it ends when nobody waits for them any more
	stop   context.CancelFunc

	mu      sync.Mutex
	waiting []item
	awaited bool // somebody waits for one of them
	// held and bytes are of the records that wait, and of those that are being written.
	held, bytes int
	closed      bool
	missing     uint64 // dropped behind the last one that waits
	counts      Stats
}

func newQueue(sink Sink, c chain, most int, now func() time.Time) *queue {
	q := &queue{sink: sink, chain: c, most: most, now: now, wake: make(chan struct{}, 1), done: make(chan struct{})}
	q.ctx, q.stop = context.WithCancel(context.Background())
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
		q.waiting = append(q.waiting, item{record, written, q.missing})
		q.missing, q.awaited = 0, q.awaited || written != nil
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
		q.linger()
		list, closed := q.take()
		if q.sink.Batches != nil {
			q.batches(list)
		} else {
			q.lines(list)
		}
		if len(list) > 0 {
			continue
		}
		if closed {
			return
		}
		<-q.wake
	}
}

// lines writes a list, or says that records are missing where the list is empty.
func (q *queue) lines(list []item) {
	for i, one := range list {
		q.untold += one.missing
		q.tell()
		err := q.write(one.record)
		if err != nil {
			q.untold++
		}
		if one.written != nil {
			one.written <- err == nil
		}
		list[i] = item{} // nothing holds it any more
		q.release(len(one.record), err)
	}
	if len(list) == 0 {
		q.tell()
	}
}

// take is all that waits. Where nothing does, what was dropped is to be told.
func (q *queue) take() (list []item, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	list, q.waiting, q.awaited = q.waiting, nil, false
	if len(list) == 0 {
		q.untold += q.missing
		q.missing = 0
	}
	return list, q.closed
}

// release makes room for what was written, or could not be, and is counted then.
func (q *queue) release(size int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held--
	q.bytes -= size
	if err != nil {
		q.counts.Dropped++
	}
}

// tell says in the stream that records are missing.
func (q *queue) tell() {
	if q.untold == 0 {
		return
	}
	if line, err := encode(q.dropped(q.untold)); err == nil && q.write(line) == nil {
		q.untold = 0
	}
}

func (q *queue) dropped(missing uint64) *Record {
	r := newRecord(ActionDropped, q.now())
	r.Agentauth.Missing = missing
	return r
}

// write writes a record in its place. What could not be written has no place.
func (q *queue) write(record []byte) error {
	line, err := q.chain.line(record)
	if err == nil {
		_, err = q.sink.Line.Write(line)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil {
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
	defer q.stop()
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
		q.stop() // what says how many are missing may still be on its way, and the end of the sink waits for it
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
