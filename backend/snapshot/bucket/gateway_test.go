package bucket_test

import (
	"testing"

	"tailrace/backend/snapshot/bucket"
	"tailrace/test/gateway"
)

// s3Server is a real S3 server.
type s3Server struct{ *gateway.Gateway }

var gatewayKeys = &bucket.Keys{Access: gateway.AccessKey, Secret: gateway.SecretKey}

func startGateway(t *testing.T) s3Server {
	t.Helper()
	return s3Server{gateway.Start(t)}
}

func (g s3Server) target(location string) bucket.Target {
	return bucket.Target{Location: location, Endpoint: g.Endpoint, Region: "us-east-1", PathStyle: true, Keys: gatewayKeys}
}

func open(t *testing.T, target bucket.Target) bucket.Bucket {
	t.Helper()
	b, err := bucket.Open(target)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
