// Package api holds the API document, so that tests can hold replies against
// it. It is shipped in no function.
package api

import _ "embed"

// Document is openapi.yaml.
//
//go:embed openapi.yaml
var Document []byte
