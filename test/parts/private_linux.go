package parts

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
)

// privateRoot is set in the environment of a private process.
const privateRoot = "AGENTAUTH_TEST_PRIVATE_ROOT"

// Private has body run by this very program, started once more with its arguments in a network where there is
// nothing but its own loopback, which IstiodHost is a name of, and in mounts that nobody else sees, with an empty
// directory GatewayCerts. What listens on every address, or reads fixed paths, harms nobody there. It returns body's
// exit code.
func Private(body func() (int, error)) (int, error) {
	root := os.Getenv(privateRoot)
	if root == "" {
		return again()
	}
	if err := enter(root); err != nil {
		return 1, err
	}
	return body()
}

// again runs this program in namespaces of its own, and returns its exit code.
func again() (int, error) {
	runtime.LockOSThread() // it is this thread whose end would end the child
	root, err := os.MkdirTemp("", "agentauth-root-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.Remove(root) }() // empty: what is mounted there is mounted in the child only
	args := []string{"--net", "--mount"}
	if os.Getuid() != 0 {
		args = append(args, "--map-root-user")
	}
	cmd := exec.Command("unshare", append(append(args, "--"), os.Args...)...)
	cmd.Env = append(os.Environ(), privateRoot+"="+root)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	signal.Ignore(os.Interrupt) // the terminal tells the child as well
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	go func() {
		for s := range terminated {
			_ = cmd.Process.Signal(s) // that it has ended says Wait
		}
	}()
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, err
}

// enter makes a root of all that is in the present one and of GatewayCerts, and brings the loopback up.
func enter(root string) error {
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := syscall.Mount("none", root, "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("tmpfs on %s: %w", root, err)
	}
	entries, err := os.ReadDir("/")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := appear(e, filepath.Join("/", e.Name()), filepath.Join(root, e.Name())); err != nil {
			return err
		}
	}
	for _, own := range []string{GatewayCerts, "/dev/shm"} { // Envoys of all users share memory by one name
		own = filepath.Join(root, own)
		if err := os.MkdirAll(own, 0o700); err != nil {
			return err
		}
		if err := syscall.Mount("none", own, "tmpfs", 0, ""); err != nil {
			return fmt.Errorf("tmpfs on %s: %w", own, err)
		}
	}
	if err := resolve(root); err != nil {
		return err
	}
	if err := syscall.Chroot(root); err != nil {
		return err
	}
	if err := os.Chdir(here); err != nil {
		return err
	}
	return ip([]string{"link", "set", "lo", "up"}, []string{"address", "add", PrivateAddress + "/24", "dev", "lo"})
}

// resolve adds IstiodHost and RateLimitHost to what /etc/hosts says below a root.
func resolve(root string) error {
	hosts, err := os.ReadFile("/etc/hosts")
	if err != nil {
		return err
	}
	ours := filepath.Join(root, "hosts")
	if err := os.WriteFile(ours, append(hosts, "\n127.0.0.1 "+IstiodHost+"\n"+besideAddress+" "+RateLimitHost+"\n"...), 0o644); err != nil { // #nosec G306 -- as /etc/hosts
		return err
	}
	if err := syscall.Mount(ours, filepath.Join(root, "etc", "hosts"), "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("%s on /etc/hosts: %w", ours, err)
	}
	return nil
}

// appear has a directory, or the same symbolic link, at another place too. Files of / are nobody's.
func appear(e os.DirEntry, from, to string) error {
	switch {
	case e.Type()&os.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	case e.IsDir():
		if err := os.Mkdir(to, 0o755); err != nil { // #nosec G301 -- of /
			return err
		}
		if err := syscall.Mount(from, to, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
			return fmt.Errorf("%s on %s: %w", from, to, err)
		}
	}
	return nil
}
