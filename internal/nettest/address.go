package nettest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// ports that tests of this process use or have used.
var ports struct {
	sync.Mutex
	taken []int
}

// FreeAddress returns an address that is free and stays so between two runs of a program: it lies below the ports that
// operating systems give to outgoing connections and to listeners on port 0.
func FreeAddress(t testing.TB) string {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	for range 100 {
		port := 15_000 + rand.IntN(15_000)
		address := fmt.Sprintf("127.0.0.1:%d", port)
		if slices.Contains(ports.taken, port) {
			continue
		}
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		if err != nil {
			continue
		}
		require.NoError(t, listener.Close())
		ports.taken = append(ports.taken, port)
		return address
	}
	require.FailNow(t, "no free port found")
	return ""
}
