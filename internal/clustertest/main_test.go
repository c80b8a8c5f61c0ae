package clustertest_test

import (
	"testing"

	"github.com/posthorn/posthorn/internal/clustertest"
)

func TestMain(m *testing.M) { clustertest.Main(m) }
