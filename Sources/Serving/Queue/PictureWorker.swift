import Flow
import Foundation
import Models
import Pictures
import Pipelines
import Runtime
import Synchronization
import Tensors

/// The thread that makes pictures: it takes batches of jobs from a queue, one after the other.
final class PictureWorker: Sendable {
  private let queue: PictureQueue
  private let models: ServedModels
  private let metrics: ServerMetrics
  private let isBusy = Atomic(false)
  private let ended = DispatchSemaphore(value: 0)

  /// The image tokens of a batch of several pictures.
  private static let mostTokens = 8192
  /// The most pictures of a batch.
  static let mostPictures = 16

  init(_ queue: PictureQueue, _ models: ServedModels, _ metrics: ServerMetrics) {
    (self.queue, self.models, self.metrics) = (queue, models, metrics)
  }

  /// Starts the thread, which ends once the queue is closed and empty.
  func start() {
    let thread = Thread { [self] in
      var maker = PictureMaker(models)
      while let jobs = queue.next(most: most) {
        isBusy.store(true, ordering: .relaxed)
        make(jobs, &maker)
        isBusy.store(false, ordering: .relaxed)
      }
      ended.signal()
    }
    thread.name = "pictures"
    thread.stackSize = 8 << 20
    thread.start()
  }

  /// Makes pictures with the default model in batches of all sizes, so that its programs are compiled and
  /// its weights loaded.
  ///
  /// - Throws: the errors of weights and of the plugin.
  func warmUp(_ service: PictureService) throws {
    let key = ServedModelKey(name: models.names[0])
    let pipeline = models[key.name]
    guard pipeline.kind.references == nil else { return try pipeline.load() }
    var request = ImageRequest(prompt: "a")
    // The programs of a step serve any number of steps.
    request.steps = 1
    let resolved = try pipeline.resolve(request)
    var maker = PictureMaker(models)
    var count = 1
    while true {
      let jobs = (0..<count).map { number in
        PictureJob(id: 0, client: "", request: resolved, model: key) { _ in }
      }
      guard count <= most(jobs[0].key) else { break }
      _ = try maker.make(jobs)
      count *= 2
    }
  }

  /// Whether pictures are being made.
  var isMaking: Bool { isBusy.load(ordering: .relaxed) }

  /// Waits until the thread has ended.
  func wait() { ended.wait() }

  /// The most pictures of a batch with a key.
  private func most(_ key: PictureJob.BatchKey) -> Int {
    if key.images != nil { return 1 }
    let tokens = max(1, models[key.model.name].tokenCount(key.size))
    let largest = max(1, min(Self.mostPictures, Self.mostTokens / tokens))
    // A power of two, so that few programs are compiled.
    return 1 << (Int.bitWidth - 1 - largest.leadingZeroBitCount)
  }

  private func make(_ jobs: [PictureJob], _ maker: inout PictureMaker) {
    let waiting = jobs.filter { !$0.isCancelled }
    guard !waiting.isEmpty else { return }
    for job in waiting { job.tell(.started) }
    finish(waiting) { try maker.make($0) }
  }

  /// Makes the pictures of a batch and tells whoever waits. Where memory runs out, the other models are
  /// released; then the batch is made in halves.
  func finish(
    _ jobs: [PictureJob], _ make: ([PictureJob]) throws -> [(RGBImage, PictureTiming)]
  ) {
    do {
      for (job, (picture, timing)) in zip(jobs, try make(jobs)) {
        job.tell(.finished(picture, timing))
        metrics.made(timing)
      }
    } catch is PictureMaker.Cancelled {
      metrics.cancelled(jobs.count)
    } catch {
      if APIError.isOutOfMemory(error) {
        if models.releaseOthers(than: jobs[0].key.model.name) { return finish(jobs, make) }
        if jobs.count > 1 {
          finish(Array(jobs[..<(jobs.count / 2)]), make)
          return finish(Array(jobs[(jobs.count / 2)...]), make)
        }
      }
      metrics.failed(jobs.count)
      for job in jobs { job.tell(.failed(error)) }
    }
  }
}

/// Makes batches of pictures with the models of a server.
struct PictureMaker {
  private let models: ServedModels
  private var features: [ServedModelKey: PromptFeatures] = [:]

  /// Nobody waits for any picture of the batch any more.
  struct Cancelled: Error {}

  init(_ models: ServedModels) { self.models = models }

  /// Makes the pictures of jobs of one key.
  ///
  /// - Throws: `Cancelled`, `PipelineError`, `RuntimeError.outOfMemory`, and the errors of weights and of
  ///   the plugin.
  mutating func make(_ jobs: [PictureJob]) throws -> [(RGBImage, PictureTiming)] {
    let key = jobs[0].key
    let pipeline = try models.use(key.model)
    let clock = ContinuousClock()
    let start = clock.now
    // The last job is repeated up to a size of batch that has a program.
    let size = jobs.count.nextPowerOfTwo
    let filled = jobs + [PictureJob](repeating: jobs.last!, count: size - jobs.count)
    let requests = filled.map(\.request)
    let conditions = try conditions(requests, filled[0].source, pipeline, key.model)
    let encoded = clock.now
    let total = key.schedule.count
    let latents = try pipeline.denoise(
      requests, conditions, from: image(of: filled[0].source, pipeline, key.size)
    ) { progress in
      guard jobs.contains(where: { !$0.isCancelled }) else { throw Cancelled() }
      try tell(jobs, progress, of: total, pipeline)
    }
    let denoised = clock.now
    let pictures = try pipeline.pictures(of: latents, count: jobs.count)
    let decoded = clock.now
    return zip(jobs, pictures).map { job, picture in
      var timing = PictureTiming()
      timing.queue = (start - job.queued).milliseconds
      timing.text = (encoded - start).milliseconds
      timing.denoising = (denoised - encoded).milliseconds
      timing.decoding = (decoded - denoised).milliseconds
      timing.batch = jobs.count
      return (job.source?.composed(picture) ?? picture, timing)
    }
  }

  /// Tells whoever waits of a step.
  private func tell(
    _ jobs: [PictureJob], _ progress: Denoiser.Progress, of total: Int, _ pipeline: ImagePipeline
  ) throws {
    let isShown = jobs.contains { $0.previews.contains(progress.step) }
    let previews =
      isShown ? try pipeline.pictures(of: progress.preview, count: jobs.count) : []
    for (number, job) in jobs.enumerated() {
      let preview = job.previews.contains(progress.step) ? previews[number] : nil
      job.tell(.step(progress.step, of: total, preview: preview))
    }
  }

  /// The conditions of the transformer for a batch.
  private mutating func conditions(
    _ requests: [ResolvedRequest], _ source: PictureSource?, _ pipeline: ImagePipeline,
    _ key: ServedModelKey
  ) throws -> Denoiser.Conditions {
    let prompts = requests.map(\.prompt)
    let scale = requests[0].guidance
    let negatives = scale.map { _ in requests.map { $0.negative ?? pipeline.kind.negative } }
    if let source, source.use == .references {
      return try pipeline.conditions(prompts, negatives, scale: scale, editing: source.images)
    }
    // LoRA changes the transformer alone.
    let own = ServedModelKey(name: key.name)
    return try pipeline.conditions(
      features[own, default: PromptFeatures()].batch(prompts, by: pipeline),
      negatives.map { try features[own, default: PromptFeatures()].batch($0, by: pipeline) },
      scale: scale)
  }

  /// The image that the samples start from, nil for noise alone.
  private func image(
    of source: PictureSource?, _ pipeline: ImagePipeline, _ size: ImageSize
  ) throws -> Denoiser.Source? {
    guard let source, case .start(let strength) = source.use else { return nil }
    return try pipeline.source(source.images[0], size, strength: strength, mask: source.mask)
  }
}

extension Int {
  /// The smallest power of two that is not below it.
  fileprivate var nextPowerOfTwo: Int {
    self <= 1 ? 1 : 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount)
  }
}

extension Duration {
  fileprivate var milliseconds: Double { self / .milliseconds(1) }
}
