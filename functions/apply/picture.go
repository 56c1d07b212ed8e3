package apply

import (
	"encoding/base64"

	"github.com/doudi-aid/doudi/shared/document"
	"github.com/doudi-aid/doudi/shared/fault"
)

// look decodes and inspects what was sent.
func look(in DocumentIn) (document.Picture, error) {
	content, err := base64.StdEncoding.Strict().DecodeString(in.Content.Reveal())
	if err != nil {
		return document.Picture{}, fault.ErrFields.With(fault.Field{Pointer: "/content_base64", Code: "malformed", Detail: "照片没有传完整，请重新上传。"})
	}
	return document.Inspect(content, in.Media, in.SHA256)
}
