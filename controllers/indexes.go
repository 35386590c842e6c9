package controllers

import (
	"context"
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// Indexes of the cache.
const (
	// roomIDIndex finds ZimRooms by spec.id; as a field selector it works at the API server too (see ZimRoom's CRD).
	roomIDIndex = "spec.id"
	// roomAppIndex finds ZimRooms by the ZimApps that they use or may come to use.
	roomAppIndex = "apps"
	// roomPinnedAppIndex finds ZimRooms by the ZimApp with which they were confirmed.
	roomPinnedAppIndex = "status.appRef"
	// appSecretIndex finds ZimApps by the Secret they name.
	appSecretIndex = "spec.serverSecretRef.name" //nolint:gosec // The name of a field.
	// appIDIndex finds ZimApps by their AppID.
	appIDIndex = "spec.appID"
)

// byName selects one object in a list at the API server: lists are what the operator may read.
func byName(name string) client.MatchingFields {
	return client.MatchingFields{"metadata.name": name}
}

// SetupIndexes adds the indexes that both reconcilers need to the manager's cache.
func SetupIndexes(ctx context.Context, indexer client.FieldIndexer, operatorNamespace string) error {
	indexes := []struct {
		object  client.Object
		name    string
		extract client.IndexerFunc
	}{
		{&zimv1alpha1.ZimRoom{}, roomIDIndex, func(object client.Object) []string {
			return []string{object.(*zimv1alpha1.ZimRoom).Spec.ID}
		}},
		{&zimv1alpha1.ZimRoom{}, roomAppIndex, func(object client.Object) []string {
			var keys []string
			for _, name := range appCandidates(object.(*zimv1alpha1.ZimRoom), operatorNamespace) {
				keys = append(keys, name.String())
			}
			return keys
		}},
		{&zimv1alpha1.ZimRoom{}, roomPinnedAppIndex, func(object client.Object) []string {
			pinned := object.(*zimv1alpha1.ZimRoom).Status.AppRef
			if pinned == nil {
				return nil
			}
			return []string{types.NamespacedName{Namespace: pinned.Namespace, Name: pinned.Name}.String()}
		}},
		{&zimv1alpha1.ZimApp{}, appSecretIndex, func(object client.Object) []string {
			return []string{object.(*zimv1alpha1.ZimApp).Spec.ServerSecretRef.Name}
		}},
		{&zimv1alpha1.ZimApp{}, appIDIndex, func(object client.Object) []string {
			return []string{strconv.FormatInt(object.(*zimv1alpha1.ZimApp).Spec.AppID, 10)}
		}},
	}
	for _, index := range indexes {
		if err := indexer.IndexField(ctx, index.object, index.name, index.extract); err != nil {
			return fmt.Errorf("indexing %T by %s: %w", index.object, index.name, err)
		}
	}
	return nil
}
