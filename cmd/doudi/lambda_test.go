package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestLambdaSaysWhatItNeeds(t *testing.T) {
	dir := t.TempDir()
	common := []string{"up", "-lambda", "-data", "", "-listen", "127.0.0.1:0", "-world", "127.0.0.1:0", "-zips", dir}
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"sweep_is_the_templates": {[]string{"-sweep", "1s"}, 2, "template.yaml"},
		"store_is_dynamodb":      {[]string{"-store", "embedded"}, 2, "the store is DynamoDB"},
		"no_engine":              {nil, 1, "make tools"}, // a test runs in its own folder, where there is none
	} {
		var out, errs bytes.Buffer
		code := run(t.Context(), append(common[:len(common):len(common)], c.args...), &out, &errs)
		if code != c.code || !strings.Contains(errs.String(), c.says) {
			t.Errorf("%s: exit %d, want %d with %q:\n%s", name, code, c.code, c.says, errs.String())
		}
	}
}
