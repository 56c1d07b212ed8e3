package secrets

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// vault answers one secret, or an error.
type vault struct {
	t      *testing.T
	secret *string
	err    error
}

func (v vault) GetSecretValue(ctx context.Context, _ *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		v.t.Error("a call without a deadline")
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: v.secret}, v.err
}

func TestRead(t *testing.T) {
	type key struct {
		Key string `json:"key"`
	}
	const hush = "correct-horse"
	text := func(s string) *string { return &s }
	if got, err := read[key](t.Context(), vault{t, text(`{"key":"` + hush + `"}`), nil}, "S", "id"); err != nil || got.Key != hush {
		t.Errorf("a good secret: %v", err)
	}
	for name, v := range map[string]vault{
		"no_answer":        {t, nil, errors.New("throttled")},
		"never_filled_in":  {t, nil, nil},
		"of_another_thing": {t, text(`{"key":"` + hush + `","password":"x"}`), nil},
		"not_json":         {t, text(hush), nil},
		"wrong_type":       {t, text(`{"key":{"` + hush + `":1}}`), nil},
		"trailing":         {t, text(`{"key":"a"}{"` + hush + `":1}`), nil},
	} {
		got, err := read[key](t.Context(), v, "DOUDI_X_SECRET", "id")
		if err == nil || got.Key != "" || strings.Contains(err.Error(), hush) || !strings.Contains(err.Error(), "DOUDI_X_SECRET") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
