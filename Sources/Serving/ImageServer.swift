import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Pictures
import Pipelines
import Runtime

/// A server that makes pictures: OpenAI's images API, the part of AUTOMATIC1111's that clients use, and a
/// page.
public struct ImageServer: Sendable {
  /// How a server runs.
  public struct Options: Sendable {
    /// The name or address that it listens at.
    public var host = "127.0.0.1"
    /// The port; 0 for a free one.
    public var port = 8080
    /// The key that requests need; nil for none, which only addresses of this machine may have.
    public var key: APIKey?
    /// The files of LoRA by the names that requests use.
    public var loras: [String: String] = [:]
    /// The most bytes of weights that are loaded at once; nil for no limit.
    public var memory: Int?
    /// What a request may ask for.
    public var limits = ServerLimits()

    /// Makes the default options.
    public init() {}
  }

  private let options: Options
  let service: PictureService
  let worker: PictureWorker
  private let metrics = ServerMetrics()
  private let logger: Logger

  /// Makes a server of models, the default one first.
  ///
  /// - Throws: `ServingError.openWithoutKey` for an address beyond this machine without a key,
  ///   `WeightsError` for LoRA that fits none of the models, and the errors of its file.
  public init(
    _ models: [(name: String, pipeline: ImagePipeline)], _ options: Options, logger: Logger
  ) throws {
    guard options.key != nil || Self.isLoopback(options.host) else {
      throw ServingError.openWithoutKey(host: options.host)
    }
    self.options = options
    self.logger = logger
    let served = try ServedModels(models, loras: options.loras, memory: options.memory)
    let queue = PictureQueue(limit: options.limits.queue)
    service = PictureService(served, queue, metrics, options.limits)
    worker = PictureWorker(queue, served, metrics)
  }

  /// Whether an address is one of this machine alone.
  static func isLoopback(_ host: String) -> Bool {
    host == "localhost" || host == "::1" || host.hasPrefix("127.")
  }

  /// Compiles the programs of the default model and loads its weights.
  ///
  /// - Throws: the errors of weights and of the plugin.
  public func warmUp() throws { try worker.warmUp(service) }

  /// Serves until the process is told to stop; what is asked by then is still answered.
  ///
  /// - Parameter started: called with the port once requests are taken.
  /// - Throws: the errors of listening.
  public func run(started: @escaping @Sendable (Int) -> Void) async throws {
    worker.start()
    let application = Application(
      router: router(),
      server: .http1(
        configuration: .init(
          additionalChannelHandlers: [ConnectionWatch()], idleTimeout: .seconds(120))),
      configuration: ApplicationConfiguration(
        address: .hostname(options.host, port: options.port), serverName: "twinflow"),
      onServerRunning: { channel in started(channel.localAddress?.port ?? options.port) },
      logger: logger)
    defer {
      service.queue.close()
      worker.wait()
    }
    try await application.runService()
  }

  /// The routes, with what every request goes through.
  func router() -> Router<ServerContext> {
    let router = Router(context: ServerContext.self)
    router.add(middleware: ErrorMiddleware(metrics: metrics))
    router.add(middleware: AccessMiddleware(key: options.key))
    OpenAIRoutes(
      service: service, store: PictureStore(), created: Int(Date().timeIntervalSince1970)
    ).add(to: router)
    WebUIRoutes(service).add(to: router)
    router.get("/") { _, _ in
      var response = Response(file: Page.html, type: "text/html; charset=utf-8")
      response.headers[.contentSecurityPolicy] = Page.policy
      response.headers[.cacheControl] = "no-cache"
      return response
    }
    router.get("health") { _, _ in
      try Response(json: ["status": "ok", "model": service.models.names[0]])
    }
    router.get("metrics") { _, _ in
      let gauges = ServerMetrics.Gauges(
        queued: service.queue.count, isMaking: worker.isMaking,
        weightBytes: service.models.loadedBytes, residentBytes: residentBytes())
      return Response(
        file: Data(metrics.text(gauges).utf8), type: "text/plain; version=0.0.4; charset=utf-8")
    }
    return router
  }
}

/// The resident bytes of this process; nil where the system does not tell.
private func residentBytes() -> Int? {
  guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .ascii) else {
    return nil
  }
  let pages = text.split(separator: " ")
  return pages.count > 1 ? Int(pages[1]).map { $0 * Int(getpagesize()) } : nil
}
