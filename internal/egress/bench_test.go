package egress

import (
	"io"
	"net"
	"testing"

	"github.com/posthorn/posthorn/internal/nettest"
)

// BenchmarkPost posts 256 bytes over kept-alive connections to a server that costs next to nothing.
func BenchmarkPost(b *testing.B) {
	url := nettest.Serve(b, func(conn *net.TCPConn, _ int) {
		buf := make([]byte, 4096)
		for {
			if _, err := conn.Read(buf); err != nil { // a request this small comes in one piece
				return
			}
			if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
				return
			}
		}
	})
	c := newClient(b, Options{})
	request := Request{URL: url, Body: make([]byte, 256)}
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if result := c.Post(b.Context(), request); !result.Success() {
				b.Error(result.Message)
				return
			}
		}
	})
}
