package devserver

import (
	"context"
	"fmt"
	"net"
	"strconv"
)

// PortError reports that an address cannot be listened on. Nothing was started and no file was touched.
type PortError struct {
	// What needs the port, in words: "Temporal server" or "Temporal Web UI".
	What string
	// Addr is the host:port as it was asked for.
	Addr string
	// Err is what the operating system said.
	Err error
}

func (e *PortError) Error() string {
	return fmt.Sprintf("%s cannot listen on %s: %v", e.What, e.Addr, e.Err)
}

func (e *PortError) Unwrap() error { return e.Err }

// address is a listening address whose port is known.
type address struct {
	ip   net.IP
	port int
}

// dial is where to reach it from this machine: a wildcard address cannot be dialled everywhere.
func (a address) dial() string {
	ip := a.ip
	if ip.IsUnspecified() {
		ip = net.IPv4(127, 0, 0, 1)
	}
	return net.JoinHostPort(ip.String(), strconv.Itoa(a.port))
}

// ports are the addresses that one server needs.
type ports struct {
	frontend, history, matching, worker address
	ui                                  *address // nil: no Web UI
	held                                []net.Listener
}

// release lets go of the ports, for Temporal to open them. It may be called again.
func (p *ports) release() {
	for _, l := range p.held {
		_ = l.Close()
	}
	p.held = nil
}

// findPorts checks the two public addresses and picks free ones for the services that only talk to each other.
//
// Temporal and its Web UI open their ports deep inside and end the process if they cannot, so this is the only place
// where a taken port can become an error. All are held until release, so that they differ and nobody else gets them.
func findPorts(ctx context.Context, o Options) (p ports, err error) {
	defer func() {
		if err != nil {
			p.release()
		}
	}()
	hold := func(what, addr string) (address, error) {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if err != nil {
			return address{}, &PortError{What: what, Addr: addr, Err: err}
		}
		p.held = append(p.held, l)
		tcp := l.Addr().(*net.TCPAddr)
		return address{ip: tcp.IP, port: tcp.Port}, nil
	}

	if p.frontend, err = hold("Temporal server", o.Listen); err != nil {
		return p, err
	}
	if o.UIListen != "" {
		ui, err := hold("Temporal Web UI", o.UIListen)
		if err != nil {
			return p, err
		}
		p.ui = &ui
	}
	for _, a := range []*address{&p.history, &p.matching, &p.worker} {
		if *a, err = hold("Temporal internal service", "127.0.0.1:0"); err != nil {
			return p, err
		}
	}
	return p, nil
}
