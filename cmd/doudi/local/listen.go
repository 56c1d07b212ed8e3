package local

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// worldAddress remembers where the world of a data directory listens, so that
// whoever was told its address finds it there again after a restart.
const worldAddress = "world.addr"

// Listen opens the addresses of the API and of the world. When nobody says where
// the world listens, it is where it was the last time, else next to the API,
// else anywhere.
func Listen(o Options) (api, outside net.Listener, err error) {
	if api, err = net.Listen("tcp", o.Listen); err != nil {
		return nil, nil, fmt.Errorf("listen for the API: %w", err)
	}
	if outside, err = listenWorld(o, api.Addr()); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("listen for the world: %w", err), api.Close())
	}
	return api, outside, nil
}

func listenWorld(o Options, api net.Addr) (net.Listener, error) {
	if o.WorldListen != "" {
		return net.Listen("tcp", o.WorldListen)
	}
	host, port, err := net.SplitHostPort(api.String())
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	tries := []string{net.JoinHostPort(host, strconv.Itoa(n+1)), net.JoinHostPort(host, "0")}
	file := filepath.Join(o.Data, worldAddress)
	if o.Data != "" {
		if last, err := os.ReadFile(file); err == nil {
			tries = append([]string{strings.TrimSpace(string(last))}, tries...)
		}
	}
	var l net.Listener
	for _, address := range tries {
		if l, err = net.Listen("tcp", address); err == nil {
			break
		}
	}
	if err != nil || o.Data == "" {
		return l, err
	}
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if err := os.WriteFile(file, []byte(l.Addr().String()+"\n"), 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}
