package workflows

// Types are the workflow types with what runs them: all that a worker registers. Each has a history in testdata.
func Types() map[string]any {
	return map[string]any{
		DeliverMessageType:    DeliverMessage,
		ResendMessageType:     ResendMessage,
		SweepUndispatchedType: SweepUndispatched,
		RunTaskType:           RunTask,
		ExpirePayloadsType:    ExpirePayloads,
		HousekeepingType:      Housekeeping,
		DeliverToEndpointType: DeliverToEndpoint,
		DeliverPartType:       DeliverPart,
		DeliverParkedType:     DeliverParked,
		TendEndpointType:      TendEndpoint,
		WakeOverdueType:       WakeOverdue,
	}
}
