// Package secrets reads a function's own secret from Secrets Manager when the
// function starts. No secret is ever a setting: settings are shown in consoles.
// A changed secret is used by whatever starts after the change.
package secrets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/doudi-aid/doudi/shared/deployed"
)

const deadline = 5 * time.Second

// Client is what is needed of *secretsmanager.Client.
type Client interface {
	GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, opts ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Read reads the secret named by the setting into a T, strictly: a secret with a
// word that nobody expects is a secret of something else.
func Read[T any](ctx context.Context, w *deployed.World, setting string) (T, error) {
	var none T
	id, at := w.Settings.Text(setting), w.Endpoint("SECRETS_MANAGER")
	if err := w.Settings.Err(); err != nil {
		return none, err
	}
	return read[T](ctx, secretsmanager.New(secretsmanager.Options{Region: w.Region, Credentials: w.Credentials, BaseEndpoint: at}), setting, id)
}

func read[T any](ctx context.Context, c Client, setting, id string) (T, error) {
	var secret, none T
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	out, err := c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		return none, fmt.Errorf("secret of %s: %w", setting, err)
	}
	if out.SecretString == nil {
		return none, fmt.Errorf("secret of %s is empty", setting)
	}
	d := json.NewDecoder(strings.NewReader(*out.SecretString))
	d.DisallowUnknownFields()
	err = d.Decode(&secret)
	if _, more := d.Token(); err != nil || !errors.Is(more, io.EOF) {
		// The decoder's words may quote the secret.
		return none, fmt.Errorf("secret of %s is not of the form that is expected", setting)
	}
	return secret, nil
}
