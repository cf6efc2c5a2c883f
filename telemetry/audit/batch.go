package audit

import (
	"context"
	"time"
)

const (
	// maxBatch, maxBatchBytes and maxLinger bound a batch in lines and bytes, and the time
	// for which its first record waits for others.
	maxBatch      = 512
	maxBatchBytes = 1 << 20
	maxLinger     = 200 * time.Millisecond
)

// Batches takes lines by the batch, each without its line break, and returns when all of
// them are kept. An error says that nobody knows it of all: none of them counts as written,
// and the lines of the next batch follow those of the last one that was kept. It gives up
// when ctx ends.
type Batches func(ctx context.Context, lines [][]byte) error

// linger waits until a batch is full, its time is over, a decision waits for one of its
// records, or the queue is closed. Where nothing waits it returns.
func (q *queue) linger() {
	if q.sink.Batches == nil || !q.early() {
		return
	}
	over := time.NewTimer(maxLinger)
	defer over.Stop()
	for q.early() {
		select {
		case <-q.wake:
		case <-over.C:
			return
		}
	}
}

func (q *queue) early() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.waiting)
	return 0 < n && n < maxBatch && q.bytes < maxBatchBytes && !q.awaited && !q.closed
}

// batches writes a list, or says that records are missing where the list is empty.
func (q *queue) batches(list []item) {
	if len(list) == 0 {
		_ = q.batch(nil)
	}
	for len(list) > 0 {
		n, bytes := 1, len(list[0].record)
		for n < len(list) && n < maxBatch && bytes+len(list[n].record) <= maxBatchBytes {
			bytes += len(list[n].record)
			n++
		}
		err := q.batch(list[:n])
		for i, one := range list[:n] {
			if one.written != nil {
				one.written <- err == nil
			}
			list[i] = item{} // nothing holds it any more
			q.release(len(one.record), err)
		}
		list = list[n:]
	}
}

// batch writes records. If that fails, all of them are missing.
func (q *queue) batch(list []item) error {
	lost := q.untold + uint64(len(list))
	for i := range list {
		lost += list[i].missing
	}
	lines, behind, err := q.place(list)
	if err == nil && len(lines) > 0 {
		err = q.sink.Batches(q.ctx, lines)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil {
		q.untold, q.counts.Error = lost, err.Error()
		return err
	}
	if q.untold = 0; len(lines) > 0 {
		q.chain = behind
		q.counts.Written += uint64(len(lines))
		q.counts.Seq, q.counts.Hash, q.counts.Error = behind.seq, behind.prev, ""
	}
	return nil
}

// place is the lines of records, each behind one that says what is missing before it, and
// the chain behind them.
func (q *queue) place(list []item) (lines [][]byte, behind chain, err error) {
	behind = q.chain
	add := func(record []byte) error {
		line, err := behind.line(record)
		if err == nil {
			line = line[:len(line)-1]
			behind.wrote(line)
			lines = append(lines, line)
		}
		return err
	}
	tell := func(missing uint64) error {
		if missing == 0 {
			return nil
		}
		record, err := encode(q.dropped(missing))
		if err != nil {
			return err
		}
		return add(record)
	}
	if len(list) == 0 {
		err = tell(q.untold)
	}
	missing := q.untold
	for _, one := range list {
		if err = tell(missing + one.missing); err == nil {
			err = add(one.record)
		}
		if missing = 0; err != nil {
			break
		}
	}
	return lines, behind, err
}
