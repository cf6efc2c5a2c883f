package parts

import (
	"context"
	"path/filepath"
	"strconv"
)

// Express is an API written with Express: it reads requests as such APIs do.
type Express struct {
	*Process
	Address string // host:port
}

// StartExpress runs the API and returns when it answers.
func StartExpress(ctx context.Context, dir string) (*Express, error) {
	program, err := installed("test", "clients", "node_modules", "express", "package.json")
	if err != nil {
		return nil, err
	}
	program = filepath.Join(filepath.Dir(program), "..", "..", "express-upstream.mjs")
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	e := &Express{Address: loopback(port)}
	if e.Process, err = start("express", dir, "node", program, strconv.Itoa(port)); err != nil {
		return nil, err
	}
	return e, e.ready(ctx, func(ctx context.Context) error {
		_, err := get(ctx, probeClient, "http://"+e.Address+"/")
		return err
	})
}
