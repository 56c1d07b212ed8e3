package complain

import "github.com/doudi-aid/doudi/shared/fault"

// What can be wrong with a wish, beside the faults of the rooms below.
var (
	errBrief     = fault.New(fault.Invalid, "brief-shows-complainant", "转办内容里有投诉人的姓名、电话或者申请编号，请删去后再转办；这次尝试已记录。", "The brief holds the complainant's name, telephone or case; take it out. This try was recorded.")
	errStale     = fault.New(fault.Conflict, "finding-moved", "办理结果已有变动，请重新查看后再审核。", "The finding has changed; read it again first.")
	errDocuments = fault.New(fault.Conflict, "complaint-documents", "这件投诉的材料已经足够多，或者这张照片已经上传过。", "There are as many documents as there may be, or this one is there already.")
	errPage      = fault.New(fault.Invalid, "complaint-page", "翻页标记不正确，请从第一页重新查看。", "The page marker is not one of ours; start from the first page.")
)
