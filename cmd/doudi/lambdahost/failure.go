package lambdahost

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// maxReport bounds what is read of a function's own report of a failure.
const maxReport = 256 << 10

// kind is what may be logged of an error: the words of a function's own failure
// may quote what it worked on.
func kind(err error) string {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Type
	}
	if err == nil {
		return "given back"
	}
	return err.Error()
}

// reported is the failure that a function reports of itself.
func (e *environment) reported(r *http.Request) error {
	var said struct {
		Message string `json:"errorMessage"`
		Type    string `json:"errorType"`
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxReport))
	if err == nil {
		err = json.Unmarshal(raw, &said)
	}
	if err != nil || said.Type == "" {
		said.Type, said.Message = "Runtime.Unknown", "the function failed and did not say how"
	}
	return e.failed(said.Type, said.Message)
}
