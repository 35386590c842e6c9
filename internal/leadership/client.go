package leadership

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Client returns a client whose patches, of objects and of their status, leave only while this replica leads: whoever
// leads now knows better. The controllers write in no other way.
func (l *Lock) Client(unguarded client.Client) client.Client {
	return guardedClient{Client: unguarded, lock: l}
}

type guardedClient struct {
	client.Client

	lock *Lock
}

// Patch implements client.Writer.
func (c guardedClient) Patch(
	ctx context.Context, object client.Object, patch client.Patch, options ...client.PatchOption,
) error {
	if err := c.lock.Check(); err != nil {
		return err
	}
	return c.Client.Patch(ctx, object, patch, options...)
}

// Status implements client.StatusClient.
func (c guardedClient) Status() client.SubResourceWriter {
	return guardedStatus{SubResourceWriter: c.Client.Status(), lock: c.lock}
}

type guardedStatus struct {
	client.SubResourceWriter

	lock *Lock
}

// Patch implements client.SubResourceWriter.
func (s guardedStatus) Patch(
	ctx context.Context, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption,
) error {
	if err := s.lock.Check(); err != nil {
		return err
	}
	return s.SubResourceWriter.Patch(ctx, object, patch, options...)
}
