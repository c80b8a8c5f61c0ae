package egress

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// newClient returns a client that may reach this machine.
func newClient(t testing.TB, o Options) *Client {
	t.Helper()
	o.AllowSubnets = append(o.AllowSubnets, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
	return newGuardedClient(t, o)
}

func newGuardedClient(t testing.TB, o Options) *Client {
	t.Helper()
	c := New(o)
	t.Cleanup(c.Close)
	return c
}

func newServer(t testing.TB, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func post(t testing.TB, c *Client, url string) Result {
	t.Helper()
	return c.Post(t.Context(), Request{URL: url, Body: []byte(`{"a":1}`)})
}

// fakeDNS is a resolver that knows the given names only.
func fakeDNS(zone map[string][]netip.Addr) *net.Resolver {
	return resolverOver(func(conn net.Conn) {
		for answerQuery(conn, zone) == nil {
		}
	})
}

// resolverOver returns a resolver that speaks DNS with serve, over pipes. A lookup may outlive the test that asked.
func resolverOver(serve func(net.Conn)) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer ours.Close()
			serve(ours)
		}()
		return theirs, nil
	}}
}

// answerQuery serves one query in the framing of DNS over TCP.
func answerQuery(conn net.Conn, zone map[string][]netip.Addr) error {
	var size uint16
	if err := binary.Read(conn, binary.BigEndian, &size); err != nil {
		return err
	}
	packet := make([]byte, size)
	if _, err := io.ReadFull(conn, packet); err != nil {
		return err
	}
	var message dnsmessage.Message
	if err := message.Unpack(packet); err != nil {
		return err
	}
	question := message.Questions[0]
	addrs, known := zone[strings.TrimSuffix(question.Name.String(), ".")]
	message.Response, message.Additionals = true, nil
	if !known {
		message.RCode = dnsmessage.RCodeNameError
	}
	for _, addr := range addrs {
		header := dnsmessage.ResourceHeader{Name: question.Name, Class: question.Class, TTL: 1}
		switch {
		case addr.Is4() && question.Type == dnsmessage.TypeA:
			message.Answers = append(message.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: addr.As4()}})
		case addr.Is6() && question.Type == dnsmessage.TypeAAAA:
			message.Answers = append(message.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}})
		}
	}
	packed, err := message.Pack()
	if err != nil {
		return err
	}
	_, err = conn.Write(slices.Concat(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed))
	return err
}
