package document

import "github.com/doudi-aid/doudi/shared/fault"

// What can be wrong with a document.
var (
	ErrType     = fault.New(fault.UnsupportedMedia, "document-type", "只接受照片（JPEG 或 PNG 格式）。", "Only photos in JPEG or PNG are accepted.")
	ErrDamaged  = fault.New(fault.Invalid, "document-damaged", "照片打不开，请重新拍摄后上传。", "The picture cannot be read; please take it again.")
	ErrTooLarge = fault.New(fault.TooLarge, "document-too-large", "照片太大，请控制在 3 MB 以内。", "The picture is larger than 3 MB.")
	ErrPixels   = fault.New(fault.TooLarge, "document-too-many-pixels", "照片尺寸太大，请用手机直接拍摄。", "The picture has too many pixels.")
	ErrDigest   = fault.New(fault.Invalid, "document-digest", "照片在上传途中有损坏，请重新上传。", "The content does not match its SHA-256.")
	// ErrUnavailable: the place where documents are kept did not answer.
	ErrUnavailable = fault.New(fault.Unavailable, "document-store-busy", "照片暂时存取不了，请稍后再试。", "Pictures cannot be stored or read at the moment; please try again.").After(2)
	ErrNotFound    = fault.New(fault.NotFound, "document-not-found", "没有找到这份材料。", "No such document.")
)
