// The current SDK for Go. It is a module of its own because the product's module tests with the oldest one.
module github.com/posthorn/posthorn/compat/go

go 1.26.8

require (
	github.com/stretchr/testify v1.12.1
	github.com/svix/svix-webhooks v1.99.1
)

require (
	github.com/google/uuid v1.6.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)
