import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Answers errors in the form of OpenAI's API, numbers requests, counts and logs them.
struct ErrorMiddleware: RouterMiddleware {
  let metrics: ServerMetrics

  func handle(
    _ request: Request, context: ServerContext,
    next: (Request, ServerContext) async throws -> Response
  ) async throws -> Response {
    let start = ContinuousClock.now
    var response: Response
    var failure: (any Error)?
    do {
      response = try await next(request, context)
    } catch {
      failure = error
      response = Self.answer(error, request)
    }
    response.headers[.requestID] = context.number
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    // Paths that no route has are counted together.
    let route = context.endpointPath ?? "none"
    metrics.answered(route, status: response.status.code, seconds: seconds)
    var facts: Logger.Metadata = [
      "request": "\(context.number)", "method": "\(request.method)", "route": "\(route)",
      "status": "\(response.status.code)", "ms": "\((seconds * 10_000).rounded() / 10)",
      "client": "\(context.address)",
    ]
    if let failure { facts["error"] = "\((failure as? APIError)?.message ?? "\(failure)")" }
    context.logger.log(
      level: response.status.code >= 500 ? .error : .info, "answered", metadata: facts)
    return response
  }

  /// The answer to an error.
  private static func answer(_ error: any Error, _ request: Request) -> Response {
    let described =
      (error as? HTTPError)?.status == .notFound
      ? APIError.noSuchPath(request.uri.path, method: request.method.rawValue)
      : APIError(serving: error)
    var headers = HTTPFields()
    for (name, value) in described.headers {
      if let name = HTTPField.Name(name) { headers[name] = value }
    }
    return Response(
      status: .init(code: described.status), headers: headers,
      body: .init(byteBuffer: ByteBuffer(bytes: described.json)))
  }
}

extension APIError {
  /// The error of a request, with those of the server's parts.
  init(serving error: any Error) {
    switch error {
    case let error as PictureQueue.Refusal:
      switch error {
      // A batch takes about a second at most.
      case .full(let waiting): self = .busy(retryAfter: 1 + waiting / PictureWorker.mostPictures)
      case .closed: self = .stopping
      }
    case ServedModels.Failure.unknownModel(let name, let known):
      self = .unknownModel(name, known: known)
    case ServedModels.Failure.unknownLoRA(let name, let known):
      self = .invalid(
        "There is no LoRA \(name) on this server, which has \(known.isEmpty ? "none" : known.joined(separator: ", ")).",
        param: "loras", code: "lora_not_found")
    case ServedModels.Failure.unfitLoRA(let loras, let model):
      self = .invalid(
        "\(loras.joined(separator: ", ")) does not fit the model \(model). Name LoRA of that model.",
        param: "loras", code: "lora_mismatch")
    case let error as ServerContext.Overdue:
      self = .unavailable(
        "The pictures were not made within \(Int(error.seconds)) seconds. Try again later.",
        code: "overdue", retryAfter: 60)
    default: self.init(error)
    }
  }
}

extension HTTPField.Name {
  /// The number of a request, as OpenAI's clients log it.
  static var requestID: Self { Self("x-request-id")! }
}
