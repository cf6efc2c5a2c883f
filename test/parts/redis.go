package parts

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

// Redis is a running redis-server, which keeps nothing on disk.
type Redis struct {
	*Process
	Address string // host:port
}

// StartRedis runs a redis-server with a password on a port of 127.0.0.1 and returns when it answers.
func StartRedis(ctx context.Context, dir string, port int, password string) (*Redis, error) {
	binary, err := installed(".parts", "redis", "redis-server")
	if err != nil {
		return nil, err
	}
	r := &Redis{Address: loopback(port)}
	r.Process, err = start("redis", dir, binary, "--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--requirepass", password,
		"--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction", "--dir", filepath.Clean(dir))
	if err != nil {
		return nil, err
	}
	return r, r.ready(ctx, func(ctx context.Context) error { return r.ping(ctx, password) })
}

func (r *Redis) ping(ctx context.Context, password string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "AUTH %s\r\nPING\r\n", password); err != nil {
		return err
	}
	lines := bufio.NewScanner(conn)
	for _, want := range []string{"+OK", "+PONG"} {
		if lines.Scan(); strings.TrimSpace(lines.Text()) != want {
			return fmt.Errorf("expected %s, got %q, %v", want, lines.Text(), lines.Err())
		}
	}
	return nil
}
