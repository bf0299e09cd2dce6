import Tensors

/// The objects of pictures, as a detector learns them.
public struct DetectorTargets {
  /// An object in its picture.
  private struct Place {
    /// 1 for an object, 0 for a row without one, `[batch]`.
    let isThere: Tensor
    /// The class and the color, one-hot, `[batch, classes]` and `[batch, colors]`; zeros for none.
    let classes, colors: Tensor
    /// 1 at the cell of the center, `[batch, rows, columns]`.
    let cell: Tensor
    /// 1 there, falling off around it, `[batch, rows, columns]`.
    let near: Tensor
    /// What the network shall say of the box, `[batch, 4]`.
    let box: Tensor
  }

  private let places: [Place]

  /// The name of the array of objects.
  public static let name = "objects"

  /// The array of a sample: for each object its class, its color, the center and the width and height as
  /// fractions of the picture; −1 for no object and no color.
  public static func spec(most: Int) -> InputSpec { InputSpec(name, [most, 6]) }

  /// Takes objects `[batch, objects, 6]`.
  ///
  /// - Parameter output: what the network says of the pictures.
  init(_ objects: Tensor, like output: Detector.Output) {
    let shape = output.centers.shape
    let (rows, columns) = (shape[1], shape[2])
    let axes = [1, 2].map { axis in
      Tensor.iota([1, rows, columns], axis: axis, .float32)
    }
    places = objects.unstack(1).map { row in
      let values = row.unstack(1)
      let (x, y) = (values[2] * Double(columns), values[3] * Double(rows))
      let (width, height) = (values[4] * Double(columns), values[5] * Double(rows))
      // Rows without an object have a cell as well, and no class.
      let (column, line) = (
        x.floor().clamped(0...Double(columns - 1)), y.floor().clamped(0...Double(rows - 1))
      )
      let (right, down) = (
        axes[1] - column.expanded([1, 2]), axes[0] - line.expanded([1, 2])
      )
      let distance = right * right + down * down
      // Beyond half of the shorter side nothing is left.
      let deviation = (width.minimum(height) / 6).maximum(0.5).expanded([1, 2])
      return Place(
        isThere: values[0].greater(-0.5).cast(to: .float32),
        classes: values[0].cast(to: .int32).oneHot(shape[3]),
        colors: values[1].cast(to: .int32).oneHot(output.colors.shape[3]),
        cell: distance.less(0.5).cast(to: .float32),
        near: (-distance / (2 * deviation * deviation)).exp(),
        box: .stack([x - column - 0.5, y - line - 0.5, width, height], axis: 1))
    }
  }

  /// The loss: the focal loss of centers, the L1 distance of boxes, sizes with the weight 0.2, and the
  /// cross-entropy of colors, all over the number of objects; and the fraction of the objects whose class has the
  /// highest logit at their center.
  func metrics(_ output: Detector.Output) -> Named<Tensor> {
    let wanted = places.map { place in
      place.near.expanded([3]) * place.classes.expanded([1, 2])
    }
    let target = wanted.dropFirst().reduce(wanted[0]) { $0.maximum($1) }
    let isCenter = target.greater(0.999).cast(to: .float32)
    let logits = output.centers.wide
    let (chance, other) = (logits.sigmoid(), (-logits).sigmoid())
    let far = 1 - target
    let (near, further) = (other * other, far * far * far * far * chance * chance)
    let count = places.map { $0.isThere.sum() }.reduce(.constant(0, .float32), +)
    let most = count.maximum(1)
    let centers =
      (isCenter * near * (-logits).softplus() + (1 - isCenter) * further * logits.softplus())
      .sum() / most

    func atCenter(_ values: Tensor, _ place: Place) -> Tensor {
      (values.wide * place.cell.expanded([3])).sum([1, 2])
    }
    let weights = Tensor.stack([1, 1, 0.2, 0.2].map { .constant($0, .float32) })
    var (boxes, colors, right) = (
      Tensor.constant(0, .float32), Tensor.constant(0, .float32), Tensor.constant(0, .float32)
    )
    for place in places {
      let found = atCenter(output.boxes, place)
      let isThere = place.isThere.expanded([1])
      boxes = boxes + ((found - place.box).abs() * weights * isThere).sum()
      colors = colors - (atCenter(output.colors, place).logSoftmax() * place.colors).sum()
      let best = atCenter(logits, place).argmax().equal(place.classes.argmax())
      right = right + (best.cast(to: .float32) * place.isThere).sum()
    }
    let parts = [("centers", centers), ("boxes", boxes / most), ("colors", colors / most)]
    let total = centers + boxes / most + colors / most
    return Named([("loss", total)] + parts + [("accuracy", right / most)])
  }
}
