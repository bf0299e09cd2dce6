import Pictures

/// A scene as a detector is trained on it.
struct SceneExample {
  /// The pixels within ±1.
  var values: [Float]
  /// The rows of the array of objects.
  let objects: [Float]
}

extension ScenePictures {
  /// A random scene of any combination, in which an object alone has any size.
  ///
  /// - Parameter isDistorted: whether it may have a tint, things of no class, blur and noise.
  func example(
    isDistorted: Bool, using random: inout some RandomNumberGenerator
  ) -> SceneExample {
    func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }
    let tasks: [SceneRequest.Task] = [.oneObject, .counting, .position, .attribution, .colors]
    let request = SceneRequest(random: tasks.randomElement(using: &random)!, using: &random)
    var ground: [UInt8] = [255, 255, 255]
    if isDistorted, chance(50) {
      ground = (0..<3).map { _ in UInt8.random(in: 225...255, using: &random) }
    }
    let scene = scene(request, ground: ground, hasAnySize: true, using: &random)
    var canvas = SceneCanvas(scene.picture)
    if isDistorted, chance(35) { addOther(to: &canvas, beside: scene, using: &random) }
    if isDistorted, chance(35) {
      canvas.blur(percent: Int.random(in: 20...100, using: &random))
    }
    let strength =
      isDistorted && chance(60) ? Float(Int.random(in: 1...16, using: &random)) / 100 : 0
    let values = canvas.values.map { value -> Float in
      let clean = Float(value) / 127.5 - 1
      guard strength > 0 else { return clean }
      // The sum of three uniform numbers is nearly normal, with the variance 1.
      let noise = (0..<3).reduce(Float(0)) { sum, _ in
        sum + Float(Int32(truncatingIfNeeded: random.next() >> 32)) / Float(1 << 31)
      }
      return min(1, max(-1, clean + strength * noise))
    }
    let size = Float(Scene.size)
    var objects = scene.objects.flatMap { object -> [Float] in
      let color = object.color.flatMap { SceneClass.colors.firstIndex(of: $0) } ?? -1
      let box = object.box.map { Float($0) / size }
      return [
        Float(SceneClass.index(of: object.object.name)!), Float(color), (box[0] + box[2]) / 2,
        (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1],
      ]
    }
    objects += [Float](repeating: -1, count: 6 * SceneRequest.mostObjects - objects.count)
    return SceneExample(values: values, objects: objects)
  }

  /// Draws a thing of no class, or a blend of two classes, where nothing is yet; nothing where there is no
  /// place.
  private func addOther(
    to canvas: inout SceneCanvas, beside scene: Scene,
    using random: inout some RandomNumberGenerator
  ) {
    let length = Int.random(in: 20...28, using: &random)
    let half = length / 2
    let x = Int.random(in: half..<Scene.size - half, using: &random)
    let y = Int.random(in: half..<Scene.size - half, using: &random)
    let isFree = scene.objects.allSatisfy { object in
      x + half < object.box[0] || x - half > object.box[2] || y + half < object.box[1]
        || y - half > object.box[3]
    }
    guard isFree else { return }
    if Bool.random(using: &random) {
      let other = others.randomElement(using: &random)!
      canvas.draw(Sprite(other, length: length), x: x, y: y)
    } else {
      let first = SceneClass.all.randomElement(using: &random)!
      let second = SceneClass.all.filter { $0 != first }.randomElement(using: &random)!
      canvas.draw(sprite(first, first.colors.first, length: length), x: x, y: y, strength: 150)
      canvas.draw(sprite(second, second.colors.first, length: length), x: x, y: y, strength: 128)
    }
  }
}

extension SceneCanvas {
  /// A canvas with a picture on it.
  init(_ picture: RGBImage) { values = picture.values }

  /// Mixes each pixel with the mean of it and its neighbors.
  mutating func blur(percent: Int) {
    let (size, old) = (Scene.size, values)
    for y in 0..<size {
      for x in 0..<size {
        for channel in 0..<3 {
          var (sum, count) = (0, 0)
          for row in max(0, y - 1)...min(size - 1, y + 1) {
            for column in max(0, x - 1)...min(size - 1, x + 1) {
              sum += Int(old[(row * size + column) * 3 + channel])
              count += 1
            }
          }
          let place = (y * size + x) * 3 + channel
          values[place] = UInt8((Int(old[place]) * (100 - percent) + sum / count * percent) / 100)
        }
      }
    }
  }
}
