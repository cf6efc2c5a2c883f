package match

import (
	"maps"
	"slices"
)

// buckets are the buckets of some paths. The zero value has none. Most hosts have a
// path or two, for which a map takes ten times the memory and is no faster.
type buckets struct {
	few  []pathBucket      // those of the longest paths first
	many map[string]bucket // has all of them where there are more than maxFew
}

type pathBucket struct {
	path string
	bucket
}

const maxFew = 4

func (b *buckets) len() int { return len(b.few) + len(b.many) }

// at is the bucket of a path; an empty one if there is none.
func (b *buckets) at(path string) bucket {
	for i := range b.few {
		if b.few[i].path == path {
			return b.few[i].bucket
		}
	}
	return b.many[path]
}

func (b buckets) clone() buckets { return buckets{slices.Clone(b.few), maps.Clone(b.many)} }

// set gives a path a bucket. An empty one is none.
func (b *buckets) set(path string, to bucket) {
	if len(to.live) == 0 {
		b.few = slices.DeleteFunc(b.few, func(p pathBucket) bool { return p.path == path })
		delete(b.many, path)
		return
	}
	i := slices.IndexFunc(b.few, func(p pathBucket) bool { return p.path == path })
	switch {
	case i >= 0:
		b.few[i].bucket = to
	case b.many == nil && len(b.few) < maxFew:
		at := slices.IndexFunc(b.few, func(p pathBucket) bool { return len(p.path) < len(path) })
		if at < 0 {
			at = len(b.few)
		}
		b.few = slices.Insert(slices.Clip(b.few), at, pathBucket{path, to})
	default:
		if b.many == nil {
			b.many = make(map[string]bucket, len(b.few)+1)
		}
		for _, p := range b.few {
			b.many[p.path] = p.bucket
		}
		b.few, b.many[path] = nil, to
	}
}
