package controllers

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// quietReader reads Secrets. At high verbosity Kubernetes' client logs whole answers: those go nowhere.
type quietReader struct{ client.Reader }

// Get implements client.Reader.
func (r quietReader) Get(
	ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption,
) error {
	return r.Reader.Get(ctrl.LoggerInto(ctx, logr.Discard()), key, object, options...)
}

// secretMemoryAge is how long a value of a Secret is remembered: whoever can reach the receiver of callbacks makes it
// look for secrets, and the API server is not to be asked each time.
const secretMemoryAge = 5 * time.Second

// secretMemory reads single values of Secrets from the API server, each at most once in secretMemoryAge. It is safe for
// concurrent use.
type secretMemory struct {
	reader client.Reader
	clock  clock.PassiveClock

	// mu is held while a Secret is read, so that callers who want the same wait instead of asking too.
	mu     sync.Mutex
	values map[secretKey]secretValue
}

type secretKey struct {
	secret types.NamespacedName
	key    string
}

type secretValue struct {
	// text is empty if Secret or key are missing, or if it is one that a ZimApp may not have: white space around it.
	text string
	// version is the resourceVersion of the Secret; empty if it is missing.
	version string
	read    time.Time
}

func newSecretMemory(reader client.Reader, passive clock.PassiveClock) *secretMemory {
	return &secretMemory{reader: reader, clock: passive, values: map[secretKey]secretValue{}}
}

// read returns a value as it is, or was at most secretMemoryAge ago.
func (m *secretMemory) read(
	ctx context.Context, namespace string, reference zimv1alpha1.SecretKeyReference,
) (secretValue, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock.Now()
	wanted := secretKey{types.NamespacedName{Namespace: namespace, Name: reference.Name}, reference.Key}
	maps.DeleteFunc(m.values, func(_ secretKey, v secretValue) bool { return now.Sub(v.read).Abs() >= secretMemoryAge })
	if known, ok := m.values[wanted]; ok {
		return known, nil
	}
	var secret corev1.Secret
	if err := m.reader.Get(ctx, wanted.secret, &secret); client.IgnoreNotFound(err) != nil {
		return secretValue{}, fmt.Errorf("getting Secret %s: %w", reference.Name, err)
	}
	value := secretValue{text: string(secret.Data[reference.Key]), version: secret.ResourceVersion, read: now}
	if strings.TrimSpace(value.text) != value.text {
		value.text = ""
	}
	m.values[wanted] = value
	return value, nil
}
