package cloud

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/doudi-aid/doudi/shared/ident"
)

// object answers S3's PutObject and GetObject, path style: /<bucket>/<key>.
func (c *Cloud) object(w http.ResponseWriter, r *http.Request, body []byte) {
	if !signed(r, "s3") {
		refuseObject(w, http.StatusForbidden, "AccessDenied")
		return
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case !slices.Contains(c.options.Buckets, bucket):
		refuseObject(w, http.StatusNotFound, "NoSuchBucket")
		return
	case key == "":
		refuseObject(w, http.StatusMethodNotAllowed, "MethodNotAllowed")
		return
	}
	// A key may hold anything; a file's name must not.
	name := filepath.Join(c.options.Dir, "objects", ident.Derive("object", bucket, key))
	switch r.Method {
	case http.MethodPut:
		if strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
			refuseObject(w, http.StatusNotImplemented, "NotImplemented")
			return
		}
		if err := store(name, body); err != nil {
			refuseObject(w, http.StatusInternalServerError, "InternalError")
		}
	case http.MethodGet:
		content, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			refuseObject(w, http.StatusNotFound, "NoSuchKey")
			return
		}
		if err != nil {
			refuseObject(w, http.StatusInternalServerError, "InternalError")
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		_, _ = w.Write(content) // the caller is gone when this fails
	default:
		refuseObject(w, http.StatusMethodNotAllowed, "MethodNotAllowed")
	}
}

// store writes a file whole or not at all.
func store(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), "new-")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what matters is the error before it
	}
	return err
}

func refuseObject(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message></Error>", code, code)
}
