// Signin on Lambda.
package main

import (
	"context"

	"github.com/doudi-aid/doudi/functions/signin"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/secrets"
	"github.com/doudi-aid/doudi/shared/deployed/staffline"
	"github.com/doudi-aid/doudi/shared/deployed/wechatline"
)

func main() { deployed.Main(run) }

func run(ctx context.Context, w *deployed.World) error {
	line, office := wechatline.In(w), staffline.In(w)
	box, blind, err := w.Keys(ctx)
	if err != nil {
		return err
	}
	w.Serve(signin.Routes(signin.Deps{Table: w.Table, Box: box, Blind: blind, Sessions: w.Sessions(), AppID: line.AppID,
		WeChat: citizens{secrets.Make(w, line.Open)}, Staff: officers{secrets.Make(w, office.Open)}, Now: w.Now}))
	return nil
}
