package engine_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"

	"github.com/posthorn/posthorn/internal/engine"
)

func TestDetailsOfAFailureAreKept(t *testing.T) {
	t.Parallel()
	passed := func(in any) (sent any) {
		err := engine.KeepDetails(t.Context(), "", in, nil, nil, func(_ context.Context, _ string, in, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
			sent = in
			return nil
		})
		require.NoError(t, err)
		return sent
	}
	details := &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: []byte("3")}}}
	failed := func(details *commonpb.Payloads) *workflowservice.RespondActivityTaskFailedRequest {
		info := &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Details: details}}
		return &workflowservice.RespondActivityTaskFailedRequest{Identity: "worker", Failure: &failurepb.Failure{FailureInfo: info}}
	}
	with := failed(details)
	sent := passed(with).(*workflowservice.RespondActivityTaskFailedRequest)
	require.Equal(t, "worker", sent.Identity)
	require.Equal(t, "3", string(sent.LastHeartbeatDetails.Payloads[0].Data))
	require.Nil(t, with.LastHeartbeatDetails, "the caller's own request stays as it is")

	for _, other := range []any{failed(nil), &workflowservice.RespondActivityTaskFailedRequest{}, &workflowservice.RespondActivityTaskCompletedRequest{}} {
		require.Same(t, other, passed(other))
	}
}
