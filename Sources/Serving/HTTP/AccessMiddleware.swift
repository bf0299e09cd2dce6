import HTTPTypes
import Hummingbird

/// Refuses requests without the key, except for the page and for health checks.
struct AccessMiddleware: RouterMiddleware {
  /// The key; nil for none.
  let key: APIKey?

  func handle(
    _ request: Request, context: ServerContext,
    next: (Request, ServerContext) async throws -> Response
  ) async throws -> Response {
    let isOpen = ["/", "/health"].contains(request.uri.path)
    if let key, !isOpen, !key.authorizes(request.headers[.authorization]) {
      throw APIError.unauthorized(hasKey: request.headers[.authorization] != nil)
    }
    return try await next(request, context)
  }
}
