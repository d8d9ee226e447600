package mlflow

import "github.com/bargeml/barge/internal/sandbox/wire"

func (f *Front) catalogRoutes(*wire.Mux) {}

func (f *Front) unityRoutes(*wire.Mux) {}
