package parts

import (
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
)

// besideAddress is an address in a network beside that of a Private process.
const besideAddress = "10.10.1.2"

// listenBeside listens at a port of besideAddress: a port that another program has on every address of the process's
// own network. It makes that network, and the way to it, once.
func listenBeside(port string) (net.Listener, error) {
	type outcome struct {
		net.Listener
		err error
	}
	threads, linked, done := make(chan int, 1), make(chan error, 1), make(chan outcome, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with its network
		if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
			close(threads)
			done <- outcome{nil, fmt.Errorf("a network: %w", err)}
			return
		}
		threads <- syscall.Gettid()
		err := <-linked
		if err == nil {
			err = ip([]string{"address", "add", besideAddress + "/24", "dev", "beside1"}, []string{"link", "set", "beside1", "up"})
		}
		if err != nil {
			done <- outcome{nil, err}
			return
		}
		listener, err := net.Listen("tcp", net.JoinHostPort(besideAddress, port))
		done <- outcome{listener, err}
	}()
	if thread, ok := <-threads; ok {
		linked <- ip([]string{"link", "add", "beside0", "type", "veth", "peer", "name", "beside1", "netns", strconv.Itoa(thread)},
			[]string{"address", "add", "10.10.1.1/24", "dev", "beside0"}, []string{"link", "set", "beside0", "up"})
	}
	o := <-done
	return o.Listener, o.err
}

// ip runs the command of this name, once for each list of arguments.
func ip(calls ...[]string) error {
	for _, args := range calls {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %q: %w: %s", args, err, out)
		}
	}
	return nil
}
