import Files
import Foundation

/// An error as OpenAI's API answers it: a status and `{"error": {"message", "type", "param", "code"}}`.
struct APIError: Error, Equatable, Sendable {
  /// The status of HTTP.
  let status: Int
  /// Whose mistake it is.
  let kind: Kind
  /// What was found, what was expected and what to do.
  let message: String
  /// The parameter that is wrong, such as `n`.
  var param: String?
  /// The mistake in a word, such as `integer_above_max_value`.
  var code: String?
  /// The seconds after which a client may try again.
  var retryAfter: Int?
  /// The methods that a path takes, for status 405.
  var allowed: [String] = []

  /// OpenAI's types of errors.
  enum Kind: String, Sendable {
    case invalidRequest = "invalid_request_error"
    case authentication = "authentication_error"
    case rateLimit = "rate_limit_error"
    case server = "server_error"
  }

  /// A request that cannot be answered as it is.
  static func invalid(
    _ message: String, param: String? = nil, code: String? = nil
  ) -> APIError {
    APIError(status: 400, kind: .invalidRequest, message: message, param: param, code: code)
  }

  /// A parameter that must be there and is not.
  static func missing(_ param: String) -> APIError {
    invalid(
      "The parameter \(param) is missing. Add it.", param: param,
      code: "missing_required_parameter")
  }

  /// A request without the key, or with another one.
  static func unauthorized(hasKey: Bool) -> APIError {
    APIError(
      status: 401, kind: .authentication,
      message: hasKey
        ? "The API key is not the server's. Send the right one as Authorization: Bearer KEY."
        : "The server needs an API key. Send it as Authorization: Bearer KEY.",
      code: hasKey ? "invalid_api_key" : "missing_api_key")
  }

  /// A path that the server does not have.
  static func noSuchPath(_ path: String, method: String) -> APIError {
    APIError(
      status: 404, kind: .invalidRequest,
      message: "There is no \("\(method) \(path)".shown). Check the base URL.", code: "unknown_url"
    )
  }

  /// A model that the server does not have.
  static func unknownModel(_ name: String, known: [String]) -> APIError {
    let nearest = nearestName(to: String(name.prefix(100)), among: known)
    return APIError(
      status: 404, kind: .invalidRequest,
      message: "There is no model \(name.shown). "
        + (nearest.map { "Did you mean \($0)? " } ?? "")
        + "GET /v1/models lists those that are served.",
      param: "model", code: "model_not_found")
  }

  /// A method that a path does not take.
  static func wrongMethod(_ method: String, allowed: [String]) -> APIError {
    APIError(
      status: 405, kind: .invalidRequest,
      message: "The path takes \(allowed.joined(separator: " and ")), not \(method.shown).",
      code: "method_not_allowed", allowed: allowed)
  }

  /// A client that sends its request too slowly.
  static func tooSlow(seconds: Int) -> APIError {
    APIError(
      status: 408, kind: .invalidRequest,
      message: "The request was not whole after \(seconds) seconds. Send it again.",
      code: "request_timeout")
  }

  /// A body that is too large.
  static func bodyTooLarge(limit: Int) -> APIError {
    APIError(
      status: 413, kind: .invalidRequest,
      message: "The body has more than \(limit.bytesText). Send smaller or fewer pictures.",
      code: "request_too_large")
  }

  /// A body of a type that a path does not take.
  static func wrongContentType(_ found: String?, expected: String) -> APIError {
    APIError(
      status: 415, kind: .invalidRequest,
      message: "The body is \(found.map { $0.shown } ?? "of no named type"), and \(expected) was "
        + "expected. Set the header Content-Type.",
      code: "unsupported_media_type")
  }

  /// A request for which there is no place in the queue.
  static func busy(retryAfter seconds: Int) -> APIError {
    APIError(
      status: 429, kind: .rateLimit,
      message: "The server's queue is full. Try again in \(seconds) "
        + "second\(seconds == 1 ? "" : "s").",
      code: "rate_limit_exceeded", retryAfter: seconds)
  }

  /// A failure that is not the client's, described in the server's log only.
  static let failed = APIError(
    status: 500, kind: .server,
    message: "The server failed to answer; its log says why, under the request's x-request-id.",
    code: "internal_error")

  /// A state of the server in which it takes no such request.
  static func unavailable(_ message: String, code: String, retryAfter: Int? = nil) -> APIError {
    APIError(status: 503, kind: .server, message: message, code: code, retryAfter: retryAfter)
  }

  /// A server that ends.
  static let stopping = unavailable(
    "The server is stopping. Try again later.", code: "stopping", retryAfter: 10)

  /// The headers of the answer.
  var headers: [(name: String, value: String)] {
    var headers = [(name: "Content-Type", value: "application/json")]
    if let retryAfter { headers.append(("Retry-After", "\(retryAfter)")) }
    if status == 401 { headers.append(("WWW-Authenticate", "Bearer")) }
    if !allowed.isEmpty { headers.append(("Allow", allowed.joined(separator: ", "))) }
    return headers
  }

  /// The body of the answer.
  var json: Data {
    do {
      return Data(try JSONFile.text(Body(error: self)).utf8)
    } catch {
      preconditionFailure("strings could not be encoded: \(error)")
    }
  }

  private struct Body: Encodable {
    let error: APIError
  }
}

extension APIError: Encodable {
  private enum Key: String, CodingKey {
    case message, type, param, code
  }

  /// Encodes what clients see; a missing parameter and code are null, as clients expect them to be
  /// there.
  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(message, forKey: .message)
    try container.encode(kind.rawValue, forKey: .type)
    try container.encode(param, forKey: .param)
    try container.encode(code, forKey: .code)
  }
}
