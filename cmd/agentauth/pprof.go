package main

import (
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"time"
)

// openPprof listens at --pprof-address and serves profiles of the process; close ends
// it. A profile shows what the memory holds, and anybody who reaches it could slow
// checks down, so it is served to this machine only.
func (f *serveFlags) openPprof() (end func(), err error) {
	if f.pprofAddress == "" {
		return func() {}, nil
	}
	at, err := netip.ParseAddrPort(f.pprofAddress)
	if err != nil || !at.Addr().IsLoopback() {
		return nil, usage("--pprof-address %q: expected a loopback address and a port as in 127.0.0.1:6060, since profiles show what the memory holds; reach it with ssh -L or kubectl port-forward", f.pprofAddress)
	}
	listener, err := net.Listen("tcp", at.String())
	if err != nil {
		return nil, usage("--pprof-address: %v", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: loopbackHost(mux), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // it ends with close, and nothing depends on it
	return func() { _ = server.Close() }, nil
}

// loopbackHost refuses requests for another host: a page in a browser of this machine
// may have a name that resolves to it.
func loopbackHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if address, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !address.IsLoopback()) {
			http.Error(w, "expected localhost or a loopback address as the host", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
