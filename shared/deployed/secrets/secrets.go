// Package secrets reads a function's own secrets from Secrets Manager, when they
// are first needed and not before: a start that waits for them is a start that
// fails with them. No secret is ever a setting: settings are shown in consoles.
package secrets

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/doudi-aid/doudi/shared/awscall"
	"github.com/doudi-aid/doudi/shared/deployed"
)

const (
	// Fresh is how long a secret is used without asking whether it has changed.
	Fresh = 10 * time.Minute
	// Stale is how long it is used at most while Secrets Manager does not answer.
	Stale    = time.Hour
	deadline = 5 * time.Second
)

// service is Secrets Manager as it is called.
var service = awscall.Service{Name: "secretsmanager", Target: "secretsmanager", Version: "1.1"}

// Secret is where one secret is kept. Name it while the function starts, so that
// a missing setting is reported with all others.
type Secret struct{ setting, id string }

// Named is the secret whose id the setting has.
func Named(w *deployed.World, setting string) Secret {
	return Secret{setting, w.Settings.Text(setting)}
}

// Reading is what one making of a thing read.
type Reading struct {
	call *awscall.Client
	read map[Secret][sha256.Size]byte // the sum of each
}

// Read reads a secret into a T, strictly: a secret with a word that nobody
// expects is a secret of something else.
func Read[T any](ctx context.Context, r *Reading, s Secret) (T, error) {
	var secret, none T
	text, err := r.text(ctx, s)
	if err != nil {
		return none, err
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	err = d.Decode(&secret)
	if _, more := d.Token(); err != nil || !errors.Is(more, io.EOF) {
		// The decoder's words may quote the secret.
		return none, fmt.Errorf("secret of %s is not of the form that is expected", s.setting)
	}
	return secret, nil
}

func (r *Reading) text(ctx context.Context, s Secret) (string, error) {
	var out struct{ SecretString string }
	if err := r.call.JSON(ctx, service, "GetSecretValue", map[string]string{"SecretId": s.id}, &out); err != nil {
		return "", fmt.Errorf("secret of %s: %w", s.setting, err)
	}
	if out.SecretString == "" {
		return "", fmt.Errorf("secret of %s is empty", s.setting)
	}
	r.read[s] = sha256.Sum256([]byte(out.SecretString))
	return out.SecretString, nil
}

// Made is something made of secrets: made when it is first asked for, kept for
// Fresh, and made again when one of its secrets has changed by then. Safe for
// concurrent use; one caller reads and the others wait.
type Made[T any] struct {
	call  *awscall.Client
	now   func() time.Time
	build func(context.Context, *Reading) (T, error)

	mu      sync.Mutex
	made    bool
	thing   T
	reading *Reading
	checked time.Time // when the secrets were last known to be these
	tried   time.Time // when that was last asked in vain
}

// Make is a Made by build.
func Make[T any](w *deployed.World, build func(context.Context, *Reading) (T, error)) *Made[T] {
	return &Made[T]{call: w.AWS, now: w.Now, build: build}
}

// again is how long nothing is asked after it was asked in vain.
const again = 30 * time.Second

// Get is the thing. While Secrets Manager does not answer, or a changed secret
// is of no use, the thing made before serves on until Stale.
func (m *Made[T]) Get(ctx context.Context) (T, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	age := now.Sub(m.checked)
	if m.made && (age < Fresh || age < Stale && now.Sub(m.tried) < again) {
		return m.thing, nil
	}
	// Whoever waits beside us must not fail because our caller went away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadline)
	defer cancel()
	if m.made && m.same(ctx) {
		m.checked = now
		return m.thing, nil
	}
	reading := &Reading{m.call, map[Secret][sha256.Size]byte{}}
	thing, err := m.build(ctx, reading)
	if err == nil {
		m.made, m.thing, m.reading, m.checked = true, thing, reading, now
		return thing, nil
	}
	if m.made && age < Stale {
		m.tried = now
		return m.thing, nil
	}
	var none T
	m.made, m.thing, m.reading = false, none, nil
	return none, err
}

// same reports whether every secret that was read is what it was.
func (m *Made[T]) same(ctx context.Context) bool {
	look := &Reading{m.call, map[Secret][sha256.Size]byte{}}
	for s, sum := range m.reading.read {
		if _, err := look.text(ctx, s); err != nil || look.read[s] != sum {
			return false
		}
	}
	return true
}
