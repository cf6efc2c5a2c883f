package policydir

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/manifest"
)

// state is one call of OnChange.
type state struct {
	tree     *manifest.Tree
	problems []authz.Problem
}

// watching starts a Watch that ends with the test.
func watching(t *testing.T, o Options) <-chan state {
	t.Helper()
	states := make(chan state, 100)
	o.OnChange = func(tree *manifest.Tree, _ *manifest.Remains, problems []authz.Problem) {
		states <- state{tree, problems}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Watch(ctx, o) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("it ended with %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("it did not end")
		}
	})
	return states
}

func next(t *testing.T, states <-chan state) state {
	t.Helper()
	select {
	case s := <-states:
		return s
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was told")
		panic("unreachable")
	}
}

// until returns the first state whose policies are these.
func until(t *testing.T, states <-chan state, want string) {
	t.Helper()
	for {
		s := next(t, states)
		if s.tree != nil && names(s.tree) == want {
			return
		}
	}
}

func untilProblem(t *testing.T, states <-chan state, want string) {
	t.Helper()
	for {
		s := next(t, states)
		if s.tree == nil && strings.Contains(text(s.problems), want) {
			return
		}
	}
}

// often is an Interval for tests that wait for changes.
const often = 20 * time.Millisecond

func TestWhatChangesIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.yaml": policyNamed("a")})
	states := watching(t, Options{Dir: dir, Interval: often})
	until(t, states, "a")

	write(t, dir, map[string]string{"b.yaml": policyNamed("b")})
	until(t, states, "a b")

	write(t, dir, map[string]string{"new/dir/c.yaml": policyNamed("c")})
	until(t, states, "a b c")

	write(t, dir, map[string]string{"new/dir/c.yaml": policyNamed("c-edited")})
	until(t, states, "a b c-edited")

	write(t, dir, map[string]string{".tmp": policyNamed("renamed")})
	rename(t, filepath.Join(dir, ".tmp"), filepath.Join(dir, "a.yaml"))
	until(t, states, "renamed b c-edited")

	remove(t, filepath.Join(dir, "new"))
	until(t, states, "renamed b")

	write(t, dir, map[string]string{"b.yaml": ""})
	untilProblem(t, states, "to take objects away remove the file")

	remove(t, filepath.Join(dir, "b.yaml"))
	until(t, states, "renamed")
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func TestAMountedConfigMapIsReadAgainWhenItsLinkIsSwapped(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"..1/a.yaml": policyNamed("a1"), "..1/b.yaml": policyNamed("b1"),
		"..data->": "..1", "a.yaml->": "..data/a.yaml", "b.yaml->": "..data/b.yaml",
	})
	states := watching(t, Options{Dir: dir, Interval: often})
	until(t, states, "a1 b1")
	for i := 2; i < 6; i++ {
		version, want := fmt.Sprintf("..%d", i), fmt.Sprintf("a%d b%d", i, i)
		write(t, dir, map[string]string{
			version + "/a.yaml": policyNamed(fmt.Sprintf("a%d", i)), version + "/b.yaml": policyNamed(fmt.Sprintf("b%d", i)), "..data_tmp->": version,
		})
		rename(t, filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data"))
		remove(t, filepath.Join(dir, fmt.Sprintf("..%d", i-1)))
		s := next(t, states)
		if s.tree == nil || names(s.tree) != want {
			t.Fatalf("want %s at once, got %v\n%s", want, s.tree, text(s.problems))
		}
	}
}

func TestTheDirectoryMayBeReplaced(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "policies")
	write(t, top, map[string]string{"policies/a.yaml": policyNamed("a"), "other/b.yaml": policyNamed("b")})
	states := watching(t, Options{Dir: dir, Interval: often})
	until(t, states, "a")

	rename(t, dir, filepath.Join(top, "old"))
	untilProblem(t, states, "cannot be read: no such file or directory")

	rename(t, filepath.Join(top, "other"), dir)
	until(t, states, "b")

	write(t, dir, map[string]string{"c.yaml": policyNamed("c")})
	until(t, states, "b c")
}

func TestADirectoryBehindALinkMayBeReplaced(t *testing.T) {
	top := t.TempDir()
	write(t, top, map[string]string{"1/a.yaml": policyNamed("a"), "2/b.yaml": policyNamed("b"), "current->": "1"})
	states := watching(t, Options{Dir: filepath.Join(top, "current"), Interval: often})
	until(t, states, "a")
	write(t, top, map[string]string{"next->": "2"})
	rename(t, filepath.Join(top, "next"), filepath.Join(top, "current"))
	until(t, states, "b")
	write(t, top, map[string]string{"2/b.yaml": policyNamed("edited")})
	until(t, states, "edited")
}

func TestAFileOutsideThatALinkLeadsToIsWatched(t *testing.T) {
	top := t.TempDir()
	write(t, top, map[string]string{"outside/a.yaml": policyNamed("a"), "beside.yaml": policyNamed("b"), "dir/a.yaml->": "../outside/a.yaml", "dir/b.yaml->": "../beside.yaml"})
	states := watching(t, Options{Dir: filepath.Join(top, "dir"), Interval: often})
	until(t, states, "a b")
	write(t, top, map[string]string{"outside/a.yaml": policyNamed("edited")})
	until(t, states, "edited b")
	write(t, top, map[string]string{"beside.yaml": policyNamed("edited-too")})
	until(t, states, "edited edited-too")
}

func TestAFileIsNotReadHalf(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.yaml": policyNamed("a")})
	states := watching(t, Options{Dir: dir, Interval: time.Second})
	until(t, states, "a")

	// Each document is a policy of its own, so half a file would be read
	// without a complaint. The pauses are shorter than the Interval.
	f, err := os.OpenFile(filepath.Join(dir, "b.yaml"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pause := time.NewTicker(100 * time.Millisecond)
	defer pause.Stop()
	want := "a"
	for i := range 15 {
		if _, err := fmt.Fprintf(f, "---\n%s", policyNamed(fmt.Sprintf("b%d", i))); err != nil {
			t.Fatal(err)
		}
		want += fmt.Sprintf(" b%d", i)
		<-pause.C
	}
	s := next(t, states)
	if s.tree == nil || names(s.tree) != want {
		t.Errorf("it was read half: %v\n%s", s.tree, text(s.problems))
	}
}

func TestAFileThatNeverStandsStillIsAProblemUntilItDoes(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.yaml": policyNamed("a"), "b.yaml": policyNamed("b") + "# "})
	states := watching(t, Options{Dir: dir, Interval: often})
	until(t, states, "a b")

	f, err := os.OpenFile(filepath.Join(dir, "b.yaml"), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pause := time.NewTicker(5 * time.Millisecond)
	defer pause.Stop()
	for told := false; !told; {
		if _, err := f.WriteString("x"); err != nil {
			t.Fatal(err)
		}
		select {
		case s := <-states:
			told = s.tree == nil
			if !told || !strings.Contains(text(s.problems), "b.yaml:0:0: : : still changing after 400ms") {
				t.Fatalf("got %v\n%s", s.tree, text(s.problems))
			}
		case <-pause.C:
		}
	}
	until(t, states, "a b")
}

func TestWhatIsTheSameIsNotToldAgain(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.yaml": policyNamed("a")})
	states := watching(t, Options{Dir: dir, Interval: often})
	until(t, states, "a")
	write(t, dir, map[string]string{"a.yaml": policyNamed("a"), "README": "x", ".a.yaml.swp": "x"})
	write(t, dir, map[string]string{"marker/b.yaml": policyNamed("b")})
	// The next state is that with the marker: none came for the others.
	if s := next(t, states); s.tree == nil || names(s.tree) != "a b" {
		t.Errorf("got %v\n%s", s.tree, text(s.problems))
	}
}

// The clock stands still while a file is written, so that the watch sees changes
// that come often, however busy the machine is.
func TestAStormOfChangesIsReadAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir, map[string]string{"a.yaml": policyNamed("a")})
		states := watching(t, Options{Dir: dir, Interval: 200 * time.Millisecond})
		until(t, states, "a")
		for i := range 1000 {
			write(t, dir, map[string]string{"a.yaml": policyNamed(fmt.Sprintf("a%d", i))})
			now := time.Now() // two writes in one step of the machine's clock are two times here
			if err := os.Chtimes(filepath.Join(dir, "a.yaml"), now, now); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Millisecond)
		}
		if s := next(t, states); s.tree == nil || names(s.tree) != "a999" {
			t.Errorf("a change was read in the storm: %v\n%s", s.tree, text(s.problems))
		}
	})
}

func TestALinkThatALinkLeadsThroughMayBeReplaced(t *testing.T) {
	top := t.TempDir()
	write(t, top, map[string]string{
		"links/through->": "../1", "1/a.yaml": policyNamed("a"), "2/a.yaml": policyNamed("b"), "dir/a.yaml->": "../links/through/a.yaml",
	})
	states := watching(t, Options{Dir: filepath.Join(top, "dir"), Interval: often})
	until(t, states, "a")
	write(t, top, map[string]string{"links/next->": "../2"})
	rename(t, filepath.Join(top, "links/next"), filepath.Join(top, "links/through"))
	until(t, states, "b")
}

func TestWatchingNeedsADirectoryAndAFunction(t *testing.T) {
	for _, o := range []Options{{}, {Dir: "."}, {OnChange: func(*manifest.Tree, *manifest.Remains, []authz.Problem) {}}} {
		if err := Watch(context.Background(), o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

// What is promised of the default Interval: a change is in force within two
// seconds.
func TestAChangeIsReadWithinTwoSeconds(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, top string){
		"a file is written in place": func(t *testing.T, top string) {
			write(t, top, map[string]string{"dir/a.yaml": policyNamed("b")})
		},
		"a file is replaced": func(t *testing.T, top string) {
			write(t, top, map[string]string{"dir/.tmp": policyNamed("b")})
			rename(t, filepath.Join(top, "dir/.tmp"), filepath.Join(top, "dir/a.yaml"))
		},
		"the link of a mounted ConfigMap is swapped": func(t *testing.T, top string) {
			write(t, top, map[string]string{"dir/..2/m.yaml": policyNamed("b"), "dir/..data_tmp->": "..2"})
			rename(t, filepath.Join(top, "dir/..data_tmp"), filepath.Join(top, "dir/..data"))
			remove(t, filepath.Join(top, "dir/a.yaml"))
		},
		"the directory is replaced": func(t *testing.T, top string) {
			write(t, top, map[string]string{"other/b.yaml": policyNamed("b")})
			rename(t, filepath.Join(top, "dir"), filepath.Join(top, "old"))
			rename(t, filepath.Join(top, "other"), filepath.Join(top, "dir"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top := t.TempDir()
			write(t, top, map[string]string{"dir/a.yaml": policyNamed("a")})
			if strings.Contains(name, "ConfigMap") {
				write(t, top, map[string]string{"dir/..1/m.yaml": policyNamed("m"), "dir/..data->": "..1", "dir/m.yaml->": "..data/m.yaml"})
			}
			states := watching(t, Options{Dir: filepath.Join(top, "dir")})
			next(t, states)
			began := time.Now()
			change(t, top)
			until(t, states, "b")
			if d := time.Since(began); d > 2*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}

// A file system that keeps times in steps of two seconds shows no difference
// between two versions of one length.
func TestAChangeThatKeepsSizeAndTimeOfAFileThatIsNewIsRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yaml")
	write(t, dir, map[string]string{"a.yaml": policyNamed("a")})
	step := time.Now()
	setTime := func() {
		if err := os.Chtimes(path, step, step); err != nil {
			t.Fatal(err)
		}
	}
	setTime()
	states := watching(t, Options{Dir: dir, Interval: often})
	until(t, states, "a")
	write(t, dir, map[string]string{"a.yaml": policyNamed("b")})
	setTime()
	until(t, states, "b")
}
