package nettest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// SOCKS is a SOCKS proxy of version 5 (RFC 1928, RFC 1929). It takes all connections to where its owner wants them.
type SOCKS struct {
	Address  string
	user     string
	password string
	target   string

	mu    sync.Mutex
	asked []string
}

// NewSOCKS starts one that connects everybody with target, and with target alone. With a user it wants to know who is
// there. An empty target is refused as an unreachable host.
func NewSOCKS(t testing.TB, target, user, password string) *SOCKS {
	t.Helper()
	s := &SOCKS{target: target, user: user, password: password}
	s.Address = listen(t, func(conn *net.TCPConn, _ int) { _ = s.serve(conn) })
	return s
}

// Asked returns what clients wanted to be connected with, as host:port in the form they have sent.
func (s *SOCKS) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *SOCKS) serve(conn *net.TCPConn) error {
	if err := s.greet(conn); err != nil {
		return err
	}
	address, err := readTarget(conn)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.asked = append(s.asked, address)
	s.mu.Unlock()
	const succeeded, hostUnreachable = 0, 4
	if s.target == "" {
		return write(conn, 5, hostUnreachable, 0, 1, 0, 0, 0, 0, 0, 0)
	}
	onward, err := new(net.Dialer).DialContext(context.Background(), "tcp", s.target)
	if err != nil {
		return err
	}
	defer func() { _ = onward.Close() }()
	if err := write(conn, 5, succeeded, 0, 1, 0, 0, 0, 0, 0, 0); err != nil {
		return err
	}
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(onward, conn)
		_ = onward.(*net.TCPConn).CloseWrite()
	})
	_, err = io.Copy(conn, onward)
	_ = conn.Close()
	both.Wait()
	return err
}

// greet settles who is there: nobody in particular, or a user with a password.
func (s *SOCKS) greet(conn net.Conn) error {
	methods, err := readCounted(conn, 1) // behind the version
	if err != nil {
		return err
	}
	const open, password = 0, 2
	if s.user == "" {
		return write(conn, 5, open)
	}
	if !slices.Contains(methods, password) {
		return write(conn, 5, 0xff)
	}
	if err := write(conn, 5, password); err != nil {
		return err
	}
	user, err := readCounted(conn, 1) // behind the version of the sub-negotiation
	if err != nil {
		return err
	}
	secret, err := readCounted(conn, 0)
	if err != nil {
		return err
	}
	if string(user) != s.user || string(secret) != s.password {
		_ = write(conn, 1, 1)
		return fmt.Errorf("%q is not let through", user)
	}
	return write(conn, 1, 0)
}

// readTarget reads the request to connect.
func readTarget(conn net.Conn) (string, error) {
	head, err := read(conn, 4) // version, command, reserved, kind of address
	if err != nil {
		return "", err
	}
	var host []byte
	switch head[3] {
	case 1:
		host, err = read(conn, 4)
	case 3:
		host, err = readCounted(conn, 0)
	case 4:
		host, err = read(conn, 16)
	default:
		return "", fmt.Errorf("unknown kind of address %d", head[3])
	}
	if err != nil {
		return "", err
	}
	port, err := read(conn, 2)
	if err != nil {
		return "", err
	}
	name := string(host)
	if addr, ok := netip.AddrFromSlice(host); ok && head[3] != 3 {
		name = addr.String()
	}
	return net.JoinHostPort(name, strconv.Itoa(int(port[0])<<8|int(port[1]))), nil
}

// readCounted skips some bytes and reads what comes behind its length.
func readCounted(conn net.Conn, skip int) ([]byte, error) {
	head, err := read(conn, skip+1)
	if err != nil {
		return nil, err
	}
	return read(conn, int(head[skip]))
}

func read(conn net.Conn, n int) ([]byte, error) {
	buf := make([]byte, n)
	_, err := io.ReadFull(conn, buf)
	return buf, err
}

func write(conn net.Conn, bytes ...byte) error {
	_, err := conn.Write(bytes)
	return err
}
